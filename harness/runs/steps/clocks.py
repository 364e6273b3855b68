"""The reference's time beside each training: ``clocks.json`` in a run's folder, by the parent."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from toolkit.core import atomic
from toolkit.core.record import Record

CLOCKS_FILE = "clocks.json"


class Clock(Record):
    """The reference's time in the graph in which a seed was trained."""

    reference_seconds: float
    repeats: bool | None = None


class Clocks(Record):
    """One for each seed."""

    seeds: dict[int, Clock] = Field(default={}, description="seed -> clock")


def write_clocks(folder: Path, clocks: Clocks) -> None:
    """Keep them."""
    atomic.write_text(folder / CLOCKS_FILE, clocks.model_dump_json(indent=1) + "\n")


def read_clocks(folder: Path) -> Clocks:
    """Return what is known of a run's clocks."""
    try:
        return Clocks.model_validate_json((folder / CLOCKS_FILE).read_bytes())
    except (OSError, ValidationError):
        return Clocks()  # none, or of another version of the hub
