"""How long a run will take, from what earlier ones took.

Seconds are kept per contribution, track, number of seeds and device, on the machine that ran them.
Where there are none, the recorded row has some, measured on the maintainers' machine: good enough
to start the longest first.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness import paths
from harness.protocol.row import Row
from harness.runs.many.tasks import Task, TaskResult
from toolkit.core import atomic

SECONDS_FILE = "seconds.json"  # in runs/

# A recorded row knows the workers' seconds; gate, pace and scoring take about as long again.
BESIDES_TRAINING = 1.8


def seconds_file() -> Path:
    """Return where this machine keeps what tasks took."""
    return paths.RUNS / SECONDS_FILE


def name_of(task: Task, seeds: int) -> str:
    """Return the key under which a task's seconds are kept."""
    return f"{task.track}/{task.contribution}/{seeds} seeds/{task.device}"


def read_seconds() -> dict[str, float]:
    """Return what tasks took here; nothing when there is no file, or a damaged one."""
    try:
        kept = json.loads(seconds_file().read_bytes())
        return {str(name): float(seconds) for name, seconds in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # a cache of hints: without it the order is worse, nothing else


def keep_seconds(results: Iterable[tuple[Task, int, TaskResult]]) -> None:
    """Remember what tasks took that were really run and ended well."""
    new = {
        name_of(task, seeds): round(result.seconds, 1)
        for task, seeds, result in results
        if result.good and not result.reused
    }
    if new:
        text = json.dumps(dict(sorted((read_seconds() | new).items())), indent=1)
        atomic.write_text(seconds_file(), text + "\n")


def estimate(
    task: Task, seeds: int, kept: Mapping[str, float], row: Row | None, confirming: int = 0
) -> float | None:
    """Return the seconds a task will probably take, or None when nothing is known about it.

    Args:
        task: Which.
        seeds: How many it trains.
        kept: What tasks took here, with their confirmations.
        row: The recorded one, which knows nothing of its confirmation.
        confirming: How many trainings its confirmation adds.
    """
    known = kept.get(name_of(task, seeds))
    if known is not None:
        return known
    if row is None or row.costs is None or task.device != "cpu":
        return None
    measured = len(row.scores) or len(row.own_pictures) or 1
    return BESIDES_TRAINING * row.costs.worker_seconds * (seeds + confirming) / measured


def typical(seconds: Iterable[float | None], otherwise: float = 300.0) -> float:
    """Return what to expect of a task about which nothing is known: the median of the others."""
    known = [one for one in seconds if one is not None]
    return statistics.median(known) if known else otherwise
