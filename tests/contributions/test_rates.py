"""Learning rates come from sweeps over training-side data, not from the board."""

from __future__ import annotations

import pytest

from harness.contributions import registry
from harness.protocol.track import DEFAULT_TRACK, load_track
from harness.runs.studies.rate_sweep import FOLDER, read_sweep, subject_hash, sweep_file
from toolkit.core.settings import TrainSettings

SWEPT = sorted(path.stem for path in FOLDER.glob("*.json"))


def test_there_are_sweeps_of_methods_and_of_the_reference() -> None:
    assert "reference" in SWEPT
    assert set(SWEPT) - {"reference"} <= set(registry.contribution_names())


@pytest.mark.parametrize("name", SWEPT)
def test_a_contribution_uses_the_rate_that_its_sweep_chose(name: str) -> None:
    contribution = registry.load_any(name)
    found = read_sweep(sweep_file(name, DEFAULT_TRACK))
    assert found is not None
    assert contribution.file.settings.train.learning_rate == found.chosen
    best = min(found.trials, key=lambda trial: trial.mean)
    assert best.learning_rate == found.chosen
    assert found.steps == load_track(DEFAULT_TRACK).file.steps
    training = load_track(DEFAULT_TRACK).train_dir / "Images"
    assert set(found.held_back) < {path.name for path in training.iterdir()}
    if not contribution.file.hooks:  # settings alone: other settings want another sweep
        assert found.subject_hash == subject_hash(contribution)


@pytest.mark.parametrize("name", registry.contribution_names())
def test_a_rate_without_a_sweep_is_the_references(name: str) -> None:
    contribution = registry.load(name)
    if not contribution.file.hooks and name not in SWEPT:
        rate = contribution.file.settings.train.learning_rate
        assert rate == TrainSettings().learning_rate
