"""How long a run will take and how much memory it needs, from what earlier ones took.

Its tasks' seconds are kept on the machine that ran them. Where there are none, the recorded row has
some, measured on the maintainers' machine: good enough to start the longest first.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from harness.protocol.row import Row
from harness.protocol.track import Track
from harness.runs.graph.durations import LIBRARIES_BYTES, memory_bytes, name_of
from harness.runs.graph.task import Kind
from harness.runs.many.tasks import Task

SPARE = 1.25  # above the highest peak that was seen

# A recorded row knows the workers' seconds; gate, clock and scoring take about as long again.
BESIDES_TRAINING = 1.8


def estimate(task: Task, seeds: int, kept: Mapping[str, float], row: Row | None) -> float | None:
    """Return the seconds a task will probably take, or None when nothing is known about it."""
    kinds: tuple[Kind, ...] = ("train", "score", "gate")
    names = [name_of(kind, task.track, task.contribution, task.device) for kind in kinds]
    if names[0] in kept and names[1] in kept:
        return seeds * (kept[names[0]] + kept[names[1]]) + kept.get(names[2], 0.0)
    if row is None or row.costs is None or task.device != "cpu":
        return None
    measured = len(row.scores) or len(row.own_pictures) or 1
    return BESIDES_TRAINING * row.costs.worker_seconds * seeds / measured


def typical(seconds: Iterable[float | None], otherwise: float = 300.0) -> float:
    """Return what to expect of a task about which nothing is known: the median of the others."""
    known = [one for one in seconds if one is not None]
    return statistics.median(known) if known else otherwise


def run_memory_bytes(track: Track, row: Row | None) -> int:
    """Return how much memory to keep free for one process of a run."""
    if row is not None and row.costs is not None and row.costs.peak_memory_bytes:
        return int(max(LIBRARIES_BYTES, SPARE * row.costs.peak_memory_bytes))
    return memory_bytes(track)
