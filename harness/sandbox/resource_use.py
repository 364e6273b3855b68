"""What a child really ran in, and what it used: ``spent.json``, written by the parent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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


def write_spent(out: Path, layer: LayerName, peak: Usage) -> None:
    """Write the file, after the child has ended."""
    spent = Spent(
        layer=layer,
        wall_s=round(peak.wall_s, 3),
        cpu_s=round(peak.cpu_s, 3),
        peak_memory_bytes=peak.memory_bytes,
        peak_processes=peak.processes,
        disk_bytes=peak.disk_bytes,
        output_bytes=peak.output_bytes,
    )
    write(out, spent)


def write(out: Path, spent: Spent) -> None:
    """Write what was used into a folder."""
    atomic.write_text(out / SPENT_FILE, spent.model_dump_json(indent=1) + "\n")


def together(parts: Sequence[Spent]) -> Spent:
    """Return what several children used: sums of times and bytes written, the highest peaks.

    Args:
        parts: At least one, all of the same layer.
    """
    return Spent(
        layer=parts[0].layer,
        wall_s=round(sum(one.wall_s for one in parts), 3),
        cpu_s=round(sum(one.cpu_s for one in parts), 3),
        peak_memory_bytes=max(one.peak_memory_bytes for one in parts),
        peak_processes=max(one.peak_processes for one in parts),
        disk_bytes=sum(one.disk_bytes for one in parts),
        output_bytes=sum(one.output_bytes for one in parts),
    )


def read_spent(out: Path) -> Spent | None:
    """Return what a finished child used, or None when it was never started or never ended."""
    try:
        return Spent.model_validate_json((out / SPENT_FILE).read_bytes())
    except (OSError, ValueError):
        return None
