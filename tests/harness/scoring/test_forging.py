"""Whatever a contribution patches, prints or writes, the figures are those of its weights."""

import dataclasses

import pytest

from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.figures import PictureFigures
from harness.protocol.track import load_track
from harness.runs.pipeline import Graph, Options, plan
from harness.runs.steps.attempt import Attempt
from harness.runs.steps.flags import flags_of
from harness.runs.steps.outcomes import Scored, TrainCosts
from harness.runs.steps.train import training
from harness.sandbox.child import Child, run_children
from harness.sandbox.resource_use import Spent
from harness.scoring.jobs import Entry, EntryScore, ScoreAnswer
from harness.worker.jobs import DELTA_FILE, SeedOutcome
from tests.harness.scoring.support import score_job
from tests.harness.support import FIXTURES
from tests.harness.worker.test_worker import Silent, start
from toolkit.images.alike import thumbnail
from toolkit.images.sheet import open_picture


@pytest.fixture(scope="module")
def pair(random_base, tmp_path_factory):
    """Both trained and scored: name -> (child of the training, figures)."""
    folder = tmp_path_factory.mktemp("pair")
    names = ("HonestTwin", "ForgesFigures")
    children = {name: start(name, random_base, folder / name) for name in names}
    run_children(list(children.values()), Silent())
    entries = []
    for name, child in children.items():
        assert child.ended().status == "ok", child.ended().error
        entries.append(Entry(label=name, seed=0, delta=child.out / DELTA_FILE))
    job = score_job(random_base, folder / "score", tuple(entries))
    scorer = Child(
        "scorer", "harness.scoring.main", job, job.out, 240, ScoreAnswer.model_validate_json
    )
    run_children([scorer], Silent())
    answer = scorer.ended().answer
    assert answer is not None, scorer.ended().error
    figures = {entry.label: entry.figures for entry in answer.entries}
    return {name: (child, figures[name]) for name, child in children.items()}


def test_forging_changes_no_figure(pair):
    (_, honest), (_, forged) = pair["HonestTwin"], pair["ForgesFigures"]
    assert forged == honest  # to the bit
    assert honest.gain != 0


def test_the_clock_is_the_parents(pair):
    child, _ = pair["ForgesFigures"]
    assert child.meter.train_seconds > 0
    assert child.ended().answer.trained.losses[0] > 0
    assert "heldout" in (child.out / "log.txt").read_text()  # it printed, and nobody read it


def attempt(contribution: Contribution) -> Attempt:
    options = Options(seeds=(0,))
    return plan(contribution, load_track("robot"), options, (0,), Graph())


def test_a_worker_is_handed_no_path_that_leads_to_held_out_pictures(tmp_path):
    one = attempt(registry.load_reference())
    order = training(one, one.contribution, 0, tmp_path / "seed-0").order()
    job = order.job.model_dump_json()
    assert "heldout" not in job
    assert "tracks" not in job
    pictures = tmp_path / "seed-0-pictures"
    assert str(pictures) in job
    names = {path.name for path in (pictures / "Images").iterdir()}
    assert names == {path.name for path in (one.track.train_dir / "Images").iterdir()}


def costs(**changes):
    spent = {
        "layer": "process", "wall_s": 20, "cpu_s": 18, "peak_memory_bytes": 10**9,
        "peak_processes": 1, "disk_bytes": 1, "output_bytes": 1,
    }  # fmt: skip
    return TrainCosts(
        train_seconds={0: 10.0},
        worker=Spent.model_validate(spent | changes),
        reference_seconds=10.0,
        reference_repeats=True,
    )


def scored(**changes):
    entry = EntryScore(label="Foo", seed=0, **changes)
    return Scored(base=None, own={0: entry}, reference={}, not_measured={})


def answer(unmergeable=None):
    outcome = SeedOutcome(
        seed=0, losses=(1.0,), trainable_parameters=1, changed_modules=1, merge_error=0,
        unmergeable=unmergeable,
    )  # fmt: skip
    return (outcome,)


def kinds(own=None, spent=None, found=None, folder="HonestTwin"):
    one = dataclasses.replace(attempt(registry.load(str(FIXTURES / folder))), again=0)
    return [f.kind for f in flags_of(one, own or answer(), spent or costs(), found or scored())]


def test_a_plain_run_has_no_flag():
    assert kinds() == []


def test_each_oddity_has_its_flag():
    copied = PictureFigures(copies=0.9)
    assert kinds(own=answer("not affine")) == ["unmergeable"]
    assert kinds(found=scored(own_pictures=copied)) == ["copies training pictures"]
    assert kinds(spent=costs(cpu_s=900)) == ["time does not add up"]
    changed = dataclasses.replace(costs(), reference_repeats=False)
    assert kinds(spent=changed) == ["the reference did not repeat itself"]
    assert kinds(found=scored(determinism=1e-3)) == ["not deterministic"]


def test_held_out_pictures_in_the_contributions_folder_are_flagged(tmp_path):
    one = attempt(registry.load("Example1"))
    clean = flags_of(one, answer(), costs(), scored())
    assert clean == ()
    heldout = one.track.heldout_dir
    assert thumbnail(open_picture(heldout / "Images" / "example1.png")).shape == (32, 32, 3)
    track = dataclasses.replace(one.track, folder=tmp_path / "track")
    (tmp_path / "track").mkdir()
    (tmp_path / "track" / "heldout").symlink_to(one.track.train_dir)  # as if those were held out
    flagged = flags_of(dataclasses.replace(one, track=track), answer(), costs(), scored())
    assert {flag.kind for flag in flagged} == {"near-duplicate of a held-out picture"}
    assert any("CONTRIBUTIONS/Example1/Dataset/Images" in flag.text for flag in flagged)
