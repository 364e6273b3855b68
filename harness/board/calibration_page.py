"""The page of the calibrations: leaderboard/calibration/README.md, from the files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.runs.studies.calibration import FOLDER, Calibration
from toolkit.core.templates import render

FILE = FOLDER / "README.md"


def read_all(folder: Path = FOLDER) -> list[Calibration]:
    """Return all calibrations, by name of the track."""
    files = sorted(folder.glob("*.json"))
    return [Calibration.model_validate_json(file.read_bytes()) for file in files]


def text(calibrations: Sequence[Calibration]) -> str:
    """Return the whole page."""
    template = Path(__file__).with_name("templates") / "calibration.md"
    return render(template, calibrations=calibrations).rstrip() + "\n"
