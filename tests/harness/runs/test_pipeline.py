"""A run as one graph, with forks for children: what is done, in which order, and what is not."""

import dataclasses

import pytest

from harness import paths
from harness.contributions import registry
from harness.protocol.figures import PictureFigures
from harness.protocol.track import Track, load_track
from harness.protocol.track_file import Sampling
from harness.runs.graph import pool
from harness.runs.pipeline import Options, Way, run_contribution
from harness.sandbox.limits import Usage
from harness.sandbox.resource_use import write_spent
from harness.scoring.jobs import BENCH_FILE, EntryScore, ScoreAnswer
from harness.worker.jobs import DELTA_FILE, Answer, SeedOutcome, seed_folder
from tests.harness.forked import fork_children
from tests.harness.scoring.support import small_track
from tests.harness.support import FIXTURES
from tests.harness.worker.test_worker import Silent
from toolkit.core import atomic
from toolkit.core.settings import REFERENCE_NAME


@pytest.fixture
def track(random_base, runs, monkeypatch):
    """The robot's track with a budget of moments."""
    fork_children(monkeypatch)
    monkeypatch.setattr(Track, "protocol_hash", lambda self: "sha256:small")
    monkeypatch.setattr(paths, "RUNS", runs)
    file = small_track(
        steps=2,
        batch_size=2,
        base_model=str(random_base),
        sampling=Sampling(num_inference_steps=1),
        seeds=(0, 1),
        quick_seeds=1,
    )
    return dataclasses.replace(load_track("robot"), file=file)


@pytest.fixture
def started(monkeypatch):
    """The labels of all children, in the order of their starts."""
    labels, start = [], pool.start_child

    def noted(task):
        labels.append(task.work.folder.relative_to(paths.RUNS).as_posix())
        return start(task)

    monkeypatch.setattr(pool, "start_child", noted)
    return labels


def short(labels):
    """Leave the keys out: ``reference train/seed-0``."""
    parts = [label.split("/") for label in labels]
    return sorted(" ".join((one[1], "/".join(one[3:]))).strip() for one in parts)


def run(name, track, *seeds, **options):
    contribution = registry.load_any(name) if "/" not in name else registry.load(name)
    chosen = Options(seeds=seeds or None, skip_gate=True, jobs=2, **options)
    return run_contribution(contribution, track, chosen, Silent())


def test_a_run_does_what_is_missing_and_nothing_else(track, started):
    first = run("Example1", track, 0)
    assert first.row.status == "ok", first.row.error
    assert short(started) == [
        "Example1 score/seed-0", "Example1 train/seed-0",
        "reference score/seed-0", "reference train/seed-0", "robot",
    ]  # fmt: skip
    started.clear()

    # Unchanged: it answers at once. One seed more: what it needs, and the reference's, is trained.
    assert run("Example1", track, 0).reused
    assert started == []
    second = run("Example1", track, 0, 1)
    assert "Example1 train/seed-1" in short(started)
    assert not [label for label in started if label.endswith("seed-0")]
    assert second.row.scores[0] == first.row.scores[0]
    assert second.row.losses == first.row.losses

    # A seed trained alone, anew, after others, gives the same bits.
    delta = seed_folder(second.folder / "train", 1) / DELTA_FILE
    before = delta.read_bytes()
    started.clear()
    alone = run("Example1", track, 1, fresh=True)
    assert short(started) == [
        "Example1 score/seed-1", "Example1 train/seed-1", "reference clock",
    ]  # fmt: skip
    assert delta.read_bytes() == before
    assert alone.row.scores[0].own == second.row.scores[1].own
    assert alone.row.scores[0].reference == second.row.scores[1].reference
    assert not [flag for flag in alone.row.flags if "repeat" in flag.kind]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_scoring_counts_only_for_the_training_that_it_scored(runs, fresh):
    options = Options(seeds=(0,), skip_gate=True, fresh=fresh)
    way = Way(registry.load("Example1"), load_track("robot"), options, Silent())
    scoring = way._scoring(0)
    ((trained, _),) = scoring.trained
    entry = EntryScore(label="Example1", seed=0, own_pictures=PictureFigures(copies=0))
    atomic.write_text(
        scoring.folder / "answer.json", ScoreAnswer(entries=(entry,)).model_dump_json()
    )
    assert scoring.known() is None  # nothing was trained
    done = {"losses": (1.0,), "trainable_parameters": 1, "changed_modules": 1, "merge_error": 0}
    outcome = SeedOutcome.model_validate({"seed": 0, **done, "unmergeable": "of no interest"})
    atomic.write_text(trained.folder / "answer.json", Answer(trained=outcome).model_dump_json())
    (trained.folder / f"own-{len(trained.job.prompts) - 1}.png").touch()
    write_spent(trained.folder, "process", Usage(), 1.0)
    assert scoring.known() == (None if fresh else "well")


def test_the_base_is_measured_once_and_again_when_its_file_is_damaged(track, started):
    run(REFERENCE_NAME, track, 0)
    (file,) = (paths.RUNS / "base").rglob(BENCH_FILE)
    before = file.read_bytes()
    file.write_bytes(before[:-1] + b"!")
    started.clear()
    run("Example1", track, 0)
    assert "robot" in short(started)
    assert "reference train/seed-0" not in short(started)
    assert file.read_bytes() == before
    started.clear()
    run("Example1", track, 0, fresh=True)
    assert "robot" not in short(started)


def test_a_failed_training_ends_the_others_and_is_a_row(track, started):
    run(REFERENCE_NAME, track, 0)
    started.clear()
    failed = run(str(FIXTURES / "RaisesInLora"), track, 0)
    assert failed.row.status == "failed"
    assert failed.row.error.kind == "HookError"
    assert not [label for label in started if "/score/" in label]
    assert (failed.folder / "page.html").is_file()


def test_a_thorough_run_goes_on_from_the_first_seeds_and_trains_one_twice(track, started):
    quick = run(REFERENCE_NAME, track)
    whole = run(REFERENCE_NAME, track, thorough=True)
    assert whole.folder == quick.folder
    assert [score.seed for score in whole.row.scores] == list(track.file.seeds)
    assert whole.row.scores[: len(quick.row.scores)] == quick.row.scores
    assert whole.row.determinism == 0
    assert "determinism" in quick.row.not_measured
    trained = [label for label in short(started) if "train" in label]
    assert len(trained) == len(set(trained)) == len(track.file.seeds)
    assert len([label for label in started if "/again/" in label]) == 1
    assert run(REFERENCE_NAME, track, thorough=True).reused
