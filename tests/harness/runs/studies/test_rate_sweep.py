"""The sweep over learning rates: what it holds back, trains, reuses, records and shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from harness import paths
from harness.commands.sweep import show
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.track import Track, load_track, own_tracks
from harness.runs.studies.rate_choice import Budget
from harness.runs.studies.rate_sweep import split, with_rate
from harness.runs.studies.rate_trials import sweep
from harness.runs.sweep_files import (
    FOLDS,
    Sweep,
    Trial,
    read_old_sweep,
    read_sweep,
    subject_hash,
    sweep_file,
    sweep_of,
)
from tests.harness.forked import fork_children
from tests.harness.scoring.support import small_track
from tests.harness.worker.test_worker import Silent
from toolkit.core.errors import UsageError
from toolkit.core.settings import LoraConfig

SMALL = Budget(start=(1e-3, 3e-3), most=3)


@pytest.fixture
def track(random_base: Path, runs: Path) -> Track:
    file = small_track(steps=2, batch_size=2, base_model=str(random_base), pictures="robot")
    return Track(file, own_tracks() / "robot")


def test_rates_are_trained_on_folds_gone_on_with_and_recorded(
    track: Track,
    runs: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fork_children(monkeypatch, "harness.runs.studies.rate_trials", "harness.runs.steps.score")
    reference = registry.load_reference()
    first = sweep(reference, track, 2, None, Silent(), SMALL._replace(most=2))
    assert [trial.learning_rate for trial in first.trials] == [1e-3, 3e-3]
    assert first.bound is not None  # of two rates each is an edge
    assert [fold.seed for fold in first.folds] == list(range(FOLDS))
    assert all(len(trial.gains) == FOLDS for trial in first.trials)
    assert len({gain for trial in first.trials for gain in trial.gains}) == 2 * FOLDS
    assert Sweep.model_validate_json(first.model_dump_json()) == first

    for fold in range(FOLDS):  # a fold for each seed
        names = [path.name for path in runs.glob(f"*/sweep/*/0.001/fold-{fold}/seed-*/")]
        assert names == [f"seed-{fold}"]

    asked = []

    def stub(bench: object, rates: Sequence[float]) -> tuple[list[Trial], list[float]]:
        asked.extend(rates)
        return [Trial(learning_rate=rate, gains=(0.0,) * FOLDS) for rate in rates], []

    monkeypatch.setattr("harness.runs.studies.rate_trials.try_rates", stub)
    again = sweep(reference, track, 2, first, Silent(), SMALL)
    # One beyond the edge, and nothing that was tried before.
    assert asked == [1e-2 if first.chosen == 3e-3 else 3e-4]
    assert again.folds == first.folds
    assert {*first.trials} < {*again.trials}

    show(again, reference, Console(width=200))
    told = capsys.readouterr().out
    assert "<- best" in told
    assert "9 training pictures, each held back once (3 folds, a seed each)" in told
    assert "3 of at most 3 rates" in told
    assert "Tolerance: Learning rates from" in told

    path = sweep_file("reference", track)
    assert path.is_relative_to(runs)  # of a person's own track
    path.write_text(again.model_dump_json(), encoding="utf-8")
    assert sweep_of(reference, track) == again
    assert sweep_of(with_rate(reference, 0.5), track) == again
    longer = dataclasses.replace(track, file=track.file.model_copy(update={"steps": 3}))
    assert sweep_of(reference, longer) is None  # another budget: other rates may be best


def test_every_training_picture_is_held_back_once_and_no_held_out_one_is_there(
    track: Track, tmp_path: Path
) -> None:
    folds = split(track.train_dir, tmp_path)
    training = sorted(path.name for path in (track.train_dir / "Images").iterdir())
    assert sorted(name for names in folds for name in names) == training
    for fold, names in enumerate(folds):
        for part in ("train", "heldback"):
            shown = {path.name for path in (tmp_path / f"fold-{fold}" / part / "Images").iterdir()}
            assert shown == ({*names} if part == "heldback" else {*training} - {*names})
            for name in shown:
                copy = tmp_path / f"fold-{fold}" / part / "Images" / name
                assert copy.read_bytes() == (track.train_dir / "Images" / name).read_bytes()
                caption = copy.parent.parent / "ImageCaptions" / f"{copy.stem}.txt"
                assert caption.is_file()


def test_two_pictures_are_too_few_for_three_folds(tmp_path: Path) -> None:
    (tmp_path / "Images").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "Images" / name).touch()
    with pytest.raises(UsageError, match="there are only 2"):
        split(tmp_path, tmp_path / "out")


def test_a_sweep_holds_for_any_rate_and_for_no_other_setting() -> None:
    reference = registry.load_reference()

    def changed(lora: LoraConfig) -> Contribution:
        settings = reference.file.settings.model_copy(update={"lora": lora})
        file = reference.file.model_copy(update={"settings": settings})
        return reference.model_copy(update={"file": file})

    assert subject_hash(with_rate(reference, 0.5)) == subject_hash(reference)
    assert subject_hash(changed(LoraConfig(rank=8))) != subject_hash(reference)


def test_a_damaged_sweep_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "Foo.json"
    assert read_sweep(path) is None
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"(?s)no sweep.*Foo\.json"):
        read_sweep(path)


def test_sweeps_of_the_board_s_tracks_lie_by_track_and_older_ones_are_still_read() -> None:
    robot = load_track("robot")
    assert sweep_file("Foo", robot) == paths.ROOT / "leaderboard" / "sweeps" / "robot" / "Foo.json"
    old = read_old_sweep("reference")
    assert old is not None
    assert len(old.held_back) == 3
    assert read_old_sweep("NoSuchContribution") is None
