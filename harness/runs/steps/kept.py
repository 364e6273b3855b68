"""What the parent keeps of a training's tasks, so that an interrupted run goes on at the next one.

The files lie beside the seeds' folders, where no child may write.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from harness.sandbox.meter import Cost
from harness.sandbox.resource_use import Spent
from harness.worker.jobs import SeedOutcome
from toolkit.core import atomic
from toolkit.core.record import Record

FOLDER = "kept"


class Kept(Record):
    """How one task of a training ended: a seed, the second training of a seed, or the remaking."""

    spent: Spent
    outcome: SeedOutcome | None = Field(default=None, description="of a seed")
    cost: Cost | None = Field(default=None, description="of a seed, by the hub's meter")


def write_kept(training: Path, name: str, kept: Kept) -> None:
    """Write it, after the files of the task lie in their places."""
    atomic.write_text(training / FOLDER / f"{name}.json", kept.model_dump_json())


def read_kept(training: Path, name: str) -> Kept | None:
    """Return what was kept of a task; None when there is none, or of another version of the hub."""
    try:
        return Kept.model_validate_json((training / FOLDER / f"{name}.json").read_bytes())
    except (OSError, ValueError):
        return None
