"""A row that is recorded is confirmed first: what is trained and scored for it, and what follows.

Real trainings are in tests/proofs/confirmed; here the trainings and the scorer are made up.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from markupsafe import escape
from rich.console import Console

from harness import paths
from harness.commands import contribution as command
from harness.contributions import registry
from harness.protocol.confirmation import EXCHANGED_SEEDS, Pair
from harness.protocol.row import ErrorReport, Row
from harness.protocol.row_files import read_row
from harness.protocol.track import BOARD_SETS, Track, load_track
from harness.runs import confirm
from harness.runs.folders import PAGE_FILE, ROW_FILE
from harness.runs.graph.pool import Pool
from harness.runs.many.choose import confirming
from harness.runs.pipeline import Options, Run
from harness.sandbox.view import view_of
from harness.worker.jobs import TrainJob
from tests.harness.support import example_row, figures
from tests.proofs.confirmed.smugglers import Silent
from toolkit.core.errors import UsageError

SEEDS = (0, 1, 2)
REFERENCE = {"portrait": 0.34, "portrait-exchanged": 0.30}
KEPT, SECOND = 0.12, 0.33  # of the reference


@pytest.fixture
def track() -> Track:
    return load_track("portrait")


def row_of(track: Track, own: float, name: str = "MinSNR") -> Row:
    """Return a good row with this gain, beside the reference's of that track."""
    reference = REFERENCE[track.file.name]
    scores = [
        {
            "seed": seed,
            "own": figures(0.5) | {"gain": own},
            "reference": figures(0.5) | {"gain": reference},
            "merge_error": 0.0,
            "train_seconds": 1.0,
        }
        for seed in SEEDS
    ]
    return example_row(contribution=name, track=track.file.name, scores=scores)


class Stage:
    """Makes up trainings and scorings; remembers what was asked.

    Args:
        carried: Gain after training on exchanged pictures, on theirs.
        kept: The same on the track's held-out pictures.
        second: Gain of the recorded training on the second held-out set.
    """

    def __init__(self, carried: float | ErrorReport, kept: float, second: float) -> None:
        self.carried, self.kept, self.second = carried, kept, second
        self.trained: list[tuple[Track, Options]] = []
        self.scored: list[tuple[Path, Path]] = []

    def run_course(self, contribution, track, options, progress):
        yield []
        self.trained.append((track, options))
        if isinstance(self.carried, ErrorReport):
            row = row_of(track, 0.0).model_copy(update={"status": "failed", "error": self.carried})
        else:
            row = row_of(track, self.carried)
        return Run(row, paths.RUNS, ())

    def score(self, attempt, out, train_dir, heldout_dir):
        yield []
        self.scored.append((train_dir, heldout_dir))
        if heldout_dir.name == "heldout2":
            return Pair(own=self.second, reference=SECOND)
        return Pair(own=self.kept, reference=KEPT)


def record(stage: Stage, track: Track, own: float, monkeypatch, name: str = "MinSNR") -> Row:
    """Confirm a row of this gain; return it as its run's folder has it."""
    monkeypatch.setattr(confirm, "run_course", stage.run_course)
    monkeypatch.setattr(confirm, "score", stage.score)
    monkeypatch.setattr(confirm, "picture_columns", lambda attempt: [])
    folder = paths.RUNS / "one"
    folder.mkdir(parents=True)
    run = Run(row_of(track, own, name), folder, ())
    course = confirm.confirmed(run, registry.load_any(name), track, Options(), Silent())
    found = Pool().run(course, Silent())
    if (folder / ROW_FILE).is_file():
        assert read_row(folder / ROW_FILE) == found.row
        page = (folder / PAGE_FILE).read_text(encoding="utf-8")
        assert all(str(escape(flag.text)) in page for flag in found.row.flags)
    return found.row


def test_an_honest_row_says_what_it_was_confirmed_by(track, runs, monkeypatch):
    stage = Stage(carried=0.32, kept=0.11, second=0.35)
    row = record(stage, track, 0.36, monkeypatch)
    assert (row.status, row.flags) == ("ok", ())
    assert row.verdict is not None
    found = row.confirmation
    assert found.exchange.seeds == (0,)
    assert found.exchange.scored == Pair(own=0.36, reference=0.34)
    assert found.second_heldout.seeds == SEEDS
    assert not found.of_the_board
    assert "Trained on exchanged pictures it gains 32.0 %" in (
        (paths.RUNS / "one" / PAGE_FILE).read_text(encoding="utf-8")
    )
    (trained, options), (first, second) = stage.trained[0], stage.scored
    assert trained.train_dir == track.folder / "exchanged" / "train"
    assert trained.heldout_dir == track.folder / "exchanged" / "heldout"
    assert (options.seeds, options.thorough) == ((0,), False)
    assert first == (track.train_dir, track.folder / "heldout2")
    assert second == (track.folder / "exchanged" / "train", track.heldout_dir)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage(carried=0.05, kept=0.60, second=0.58), "keeps a gain of 60.0 %"),
        (Stage(carried=0.30, kept=0.12, second=0.58), "and +0.0 on exchanged ones"),
        (Stage(carried=0.50, kept=0.12, second=0.34), "and +1.0 on a second set"),
    ],
)
def test_a_row_whose_gain_was_brought_along_is_withheld(track, runs, monkeypatch, stage, words):
    row = record(stage, track, 0.60, monkeypatch)
    assert (row.status, row.verdict) == ("withheld", None)
    assert [flag.kind for flag in row.flags] == ["brought along"]
    assert words in row.flags[0].text
    assert words in row.error.what


def test_who_does_not_come_through_on_exchanged_pictures_has_shown_nothing(
    track, runs, monkeypatch
):
    error = ErrorReport(kind="HookError", what="train raised: I do not know these.")
    row = record(Stage(error, kept=0.0, second=0.58), track, 0.60, monkeypatch)
    assert row.status == "withheld"
    assert [flag.kind for flag in row.flags] == ["not confirmed"]
    assert "I do not know these." in row.flags[0].text


@pytest.mark.parametrize("name", ["reference", "Memoriser"])
def test_the_hubs_own_rows_are_not_asked(track, runs, monkeypatch, name):
    stage = Stage(carried=0.0, kept=0.6, second=0.0)
    assert record(stage, track, 0.60, monkeypatch, name).confirmation is None
    assert not stage.trained


def test_the_plan_knows_what_a_confirmation_adds(track):
    added = [
        confirming(registry.load_any(name), track) for name in ("MinSNR", "reference", "Memoriser")
    ]
    assert added == [2 * EXCHANGED_SEEDS, 0, 0]
    assert confirming(registry.load_any("MinSNR"), load_track("robot")) == 0
    assert confirming(None, track) == 0


def test_a_track_without_sets_confirms_nothing(runs, monkeypatch):
    robot = load_track("robot")
    assert robot.exchanged is None
    assert robot.second_heldout_dir is None
    monkeypatch.setitem(REFERENCE, "robot", 0.34)
    stage = Stage(carried=0.0, kept=0.6, second=0.0)
    assert record(stage, robot, 0.60, monkeypatch).status == "ok"
    assert not stage.trained


def test_the_boards_own_sets_go_before_the_tracks(track, tmp_path, monkeypatch):
    (tmp_path / "portrait" / "heldout2").mkdir(parents=True)
    monkeypatch.setenv(BOARD_SETS, str(tmp_path))
    assert track.has_board_sets
    assert track.second_heldout_dir == tmp_path / "portrait" / "heldout2"
    assert track.exchanged is None  # the board's folder has none: nothing is mixed
    assert not load_track("silhouette").has_board_sets
    monkeypatch.setenv(BOARD_SETS, str(tmp_path / "gone"))
    with pytest.raises(UsageError, match=f"{BOARD_SETS} names no folder"):
        _ = track.exchanged


def test_no_contribution_sees_the_sets(track, tmp_path):
    """A worker's job names a copy of its training pictures, and that is all it may read."""
    reference = registry.load_reference()
    job = TrainJob(
        contribution=reference,
        reference=reference,
        base_model=str(track.base_model),
        out=tmp_path / "out",
        data_dir=tmp_path,
        resolution=64,
        steps=1,
        batch_size=1,
        seeds=(0,),
        prompts=(),
    )
    shown = view_of(job, job.out).readable
    for folder in (track.exchanged.folder, track.second_heldout_dir, track.heldout_dir):
        assert not any(folder.is_relative_to(place) for place in shown)


def test_only_what_is_recorded_is_confirmed(monkeypatch, track, runs):
    """Through the command: `--record` asks for it, a first verdict does not."""
    asked = []
    run = Run(row_of(track, 0.36), paths.RUNS, ())

    def course(*args, confirms=False):
        asked.append(confirms)
        yield []
        return run

    monkeypatch.setattr(command, "run_course", course)
    monkeypatch.setattr(command, "confirmed_course", partial(course, confirms=True))
    monkeypatch.setattr(command, "settle", lambda *args: None)
    monkeypatch.setattr(command, "refuse_record", lambda track: None)
    monkeypatch.setattr(command, "show", lambda *args: None)
    monkeypatch.setattr(command, "record", lambda run: None)
    fields = {"name": "MinSNR", "taken": (), "track": "portrait", "only_gate": False, "probe": []}
    rest = {"skip_gate": False, "seeds": None, "device": "cpu", "fresh": False}
    for recorded in (False, True):
        command.run_one(SimpleNamespace(**fields, **rest, record=recorded), Console(quiet=True))
    assert asked == [False, True]


def test_the_exchanged_track_measures_losses_alone_and_borrows_nothing(track):
    exchanged = track.exchanged
    assert exchanged.file.name == "portrait-exchanged"
    assert exchanged.pictures == exchanged.folder
    assert exchanged.file.steps == track.file.steps
    assert len(exchanged.file.prompts) == 4
    borrowing = dataclasses.replace(
        track, file=track.file.model_copy(update={"pictures": "portrait"})
    )
    assert borrowing.exchanged.pictures == exchanged.folder
