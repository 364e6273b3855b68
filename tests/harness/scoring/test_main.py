"""The scorer as a process: every figure of every entry, whoever else is at fault."""

import pytest
import torch
from PIL import Image

from harness.sandbox.child import Child, run_children
from harness.scoring.jobs import Entry, ScoreAnswer
from tests.harness.scoring.support import score_job, small_track
from tests.harness.worker.test_worker import Silent
from toolkit.deltas.file import write_delta


def scored(job):
    child = Child(
        "scorer", "harness.scoring.main", job, job.out, 240, ScoreAnswer.model_validate_json
    )
    run_children([child], Silent())
    assert child.outcome is not None
    assert child.outcome.answer is not None, child.outcome.error
    return child.outcome.answer


@pytest.fixture(scope="module")
def answer(random_base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    good, other = folder / "good.safetensors", folder / "other.safetensors"
    write_delta(good, {"unet": {"conv_in.bias": torch.full((16,), 0.1)}, "text_encoder": {}})
    write_delta(other, {"unet": {"conv_in.bias": torch.full((16,), 0.2)}, "text_encoder": {}})
    own = []
    for number in range(len(small_track().prompts)):
        own.append(folder / f"{number}.png")
        Image.new("RGB", (64, 64), (50, 100, 220)).save(own[-1])
    entries = (
        Entry(label="Bad", seed=0, delta=folder / "none.safetensors"),
        Entry(label="Good", seed=0, delta=good, again=good, own_pictures=tuple(own)),
        Entry(label="Good", seed=1, delta=good, again=other, remade=good),
        Entry(label="Forged", seed=2, delta=good, remade=other),
        Entry(label="Unmergeable", seed=0, delta=None, own_pictures=tuple(own)),
    )
    return scored(score_job(random_base, folder / "out", entries))


def test_an_entry_at_fault_does_not_stop_the_others(answer):
    bad, fine, *_, forged, _unmergeable = answer.entries
    assert "differs by" in forged.error.what
    assert "seed 2" in forged.error.what
    assert (forged.figures, forged.error.where) == (None, "Forged")
    assert bad.error is not None
    assert bad.figures is None
    assert fine.figures.heldout != answer.base.heldout
    assert set(answer.pictures) == {"base", "Good"}


def test_the_base_is_the_zero_of_every_relative_figure(answer):
    base = answer.base
    assert (base.gain, base.train_gain, base.overfit_gap) == (0, 0, 0)
    assert (base.drift, base.class_drift, base.picture_drift) == (0, 0, 0)


def test_a_change_of_the_weights_shows_in_every_figure(answer):
    figures = answer.entries[1].figures
    assert figures.gain == pytest.approx(1 - figures.heldout.mean / answer.base.heldout.mean)
    assert figures.overfit_gap == pytest.approx(figures.train_gain - figures.gain)
    assert figures.drift > 0
    assert figures.class_drift > 0
    assert figures.picture_drift > 0
    assert figures.pictures.similarity is not None
    assert figures.pictures.copies == 0


def test_own_pictures_are_judged_and_compared_with_the_trusted_samplers(answer):
    _, fine, _, _, unmergeable = answer.entries
    assert fine.own_difference > 0.05
    assert unmergeable.figures is None
    # All are plain blue: one of the six taught prompts asks for that.
    assert unmergeable.own_pictures.prompt_adherence == pytest.approx(1 / 6)
    assert unmergeable.own_pictures == fine.own_pictures


def test_determinism_is_the_relative_distance_of_two_trainings(answer):
    _, same, other, *_ = answer.entries
    assert same.determinism == 0
    assert other.determinism == pytest.approx(1)


def test_a_judge_that_is_not_there_is_said_no_figure_is_made_up_and_the_rest_repeats(
    answer, random_base, tmp_path
):
    track = small_track(judge={"features": "dinov2", "folder": "models/no-such-judge"})
    again = scored(score_job(random_base, tmp_path / "out", track=track))
    assert again.base.pictures.similarity is None
    assert "dinov2" in again.not_measured["similarity"]
    assert again.base.pictures.prompt_adherence == answer.base.pictures.prompt_adherence
    assert again.base.heldout == answer.base.heldout  # to the bit
