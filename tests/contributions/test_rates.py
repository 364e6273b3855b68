"""Learning rates come from sweeps over training-side data, not from the board."""

from __future__ import annotations

import pytest

from harness.contributions import registry
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.runs.studies.rate_choice import BUDGET, bound, choose, tolerance
from harness.runs.sweep_files import (
    folder,
    read_old_sweep,
    read_sweep,
    subject_hash,
    sweep_file,
)
from toolkit.core.settings import TrainSettings

OLD = sorted(path.stem for path in folder().glob("*.json"))
TRACK = load_track(DEFAULT_TRACK)
SWEPT = sorted(path.stem for path in folder().glob(f"{DEFAULT_TRACK}/*.json"))
TRAINING = {path.name for path in (TRACK.train_dir / "Images").iterdir()}


def test_there_are_sweeps_of_methods_and_of_the_reference() -> None:
    assert "reference" in OLD
    assert {*OLD, *SWEPT} - {"reference"} <= set(registry.contribution_names())


@pytest.mark.parametrize("name", sorted({*OLD} - {*SWEPT}))
def test_a_contribution_uses_the_rate_that_its_old_sweep_chose(name: str) -> None:
    contribution = registry.load_any(name)
    found = read_old_sweep(name)
    assert found is not None
    assert contribution.file.settings.train.learning_rate == found.chosen
    best = min(found.trials, key=lambda trial: trial.mean)
    assert best.learning_rate == found.chosen
    assert found.steps == TRACK.file.steps
    assert set(found.held_back) < TRAINING
    if not contribution.file.hooks:  # settings alone: other settings want another sweep
        assert found.subject_hash == subject_hash(contribution)


@pytest.mark.parametrize("name", SWEPT)
def test_a_contribution_uses_the_rate_that_its_sweep_over_folds_chose(name: str) -> None:
    """A newer sweep has the last word; what it records follows from its trials."""
    found = read_sweep(sweep_file(name, TRACK))
    assert found is not None
    assert registry.load_any(name).file.settings.train.learning_rate == found.chosen
    assert (choose(found.trials), bound(found.trials)) == (found.chosen, found.bound)
    assert tolerance(found.trials) == found.tolerance
    assert len(found.trials) <= found.most_rates == BUDGET.most
    held_back = [picture for fold in found.folds for picture in fold.held_back]
    assert len(held_back) == len(TRAINING)
    assert {*held_back} == TRAINING


@pytest.mark.parametrize("name", registry.contribution_names())
def test_a_rate_without_a_sweep_is_the_references(name: str) -> None:
    contribution = registry.load(name)
    if not contribution.file.hooks and name not in {*OLD, *SWEPT}:
        rate = contribution.file.settings.train.learning_rate
        assert rate == TrainSettings().learning_rate
