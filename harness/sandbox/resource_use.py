"""What a child really ran in, and what it used: ``spent.json``, written by the parent."""

from __future__ import annotations

import datetime
from pathlib import Path

from pydantic import Field

from harness.sandbox.layers import LayerName
from harness.sandbox.limits import Usage
from toolkit.core import atomic
from toolkit.core.record import Record

SPENT_FILE = "spent.json"


class Spent(Record):
    """The isolation that was really active, and the peaks of one child with all it started."""

    layer: LayerName
    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    peak_processes: int
    disk_bytes: int
    output_bytes: int
    began_at: datetime.datetime | None = Field(default=None, description="start, UTC")
    train_seconds: float | None = Field(
        default=None, description="wall time of its train hook, by the parent's clock"
    )


def write_spent(out: Path, layer: LayerName, peak: Usage, train_seconds: float | None) -> None:
    """Write the file, after the child has ended."""
    now = datetime.datetime.now(datetime.UTC)
    spent = Spent(
        layer=layer,
        began_at=now - datetime.timedelta(seconds=peak.wall_s),
        train_seconds=train_seconds,
        wall_s=round(peak.wall_s, 3),
        cpu_s=round(peak.cpu_s, 3),
        peak_memory_bytes=peak.memory_bytes,
        peak_processes=peak.processes,
        disk_bytes=peak.disk_bytes,
        output_bytes=peak.output_bytes,
    )
    atomic.write_text(out / SPENT_FILE, spent.model_dump_json(indent=1) + "\n")


def read_spent(out: Path) -> Spent | None:
    """Return what a finished child used, or None when it was never started or never ended."""
    try:
        return Spent.model_validate_json((out / SPENT_FILE).read_bytes())
    except (OSError, ValueError):
        return None
