"""How long a task will take: what it took here before, else what others of its kind took.

A cache of hints on this machine. Without it the order is worse, nothing else.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping

from harness import paths
from harness.runs.graph.task import Kind
from toolkit.core import atomic

SECONDS_FILE = "task_seconds.json"  # in runs/

# Where nothing is known: seconds on one core of a machine of 2026, with the embedded base.
USUAL: dict[Kind, float] = {"gate": 16.0, "train": 11.0, "remake": 5.0, "base": 7.0, "score": 6.0}


def read_seconds() -> dict[str, float]:
    """Return what tasks took here; nothing when there is no file, or a damaged one."""
    try:
        kept = json.loads((paths.RUNS / SECONDS_FILE).read_bytes())
        return {str(name): float(seconds) for name, seconds in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def keep_seconds(new: Mapping[str, float]) -> None:
    """Remember what tasks took."""
    kept = read_seconds() | {name: round(seconds, 1) for name, seconds in new.items()}
    atomic.write_text(
        paths.RUNS / SECONDS_FILE, json.dumps(dict(sorted(kept.items())), indent=1) + "\n"
    )


def name_of(kind: Kind, track: str, device: str, contribution: str = "") -> str:
    """Return the name under which a task's seconds are kept; seeds are alike."""
    return f"{track}/{kind}/{device}/{contribution}"


def estimate(kept: Mapping[str, float], name: str, kind: Kind) -> float:
    """Return what a task will probably take, seconds.

    Args:
        kept: What tasks took here.
        name: Its name, see ``name_of``.
        kind: What it is.
    """
    if name in kept:
        return kept[name]
    others = name.rpartition("/")[0]
    alike = [seconds for one, seconds in kept.items() if one.rpartition("/")[0] == others]
    return statistics.median(alike) if alike else USUAL[kind]


def clock(seconds: float) -> str:
    """Return ``1:02:03``, or ``2:03`` below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
