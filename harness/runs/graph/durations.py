"""How long a task will take: what it took here before, else what others of its kind took.

A cache of hints on this machine. Without it the order is worse, nothing else.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from pathlib import Path

from harness import paths
from harness.protocol.track import Track
from harness.runs.graph.task import Kind
from toolkit.core import atomic

SECONDS_FILE = "seconds.json"  # in runs/

# Where nothing is known: seconds on one core of a machine of 2024, with the embedded base.
USUAL: dict[Kind, float] = {"gate": 15.0, "train": 20.0, "base": 12.0, "score": 12.0, "row": 0.0}


GIB = 2**30
# A worker of the embedded base has 0.7 GiB resident; torch and diffusers alone are most of it.
LIBRARIES_BYTES = GIB
# Weights are read in float32, and probing and gradients need as much again.
WEIGHTS_TIMES = 3.0


def weights_bytes(track: Track) -> int:
    """Return the size of a track's base model on disk."""
    return sum(file.stat().st_size for file in track.base_model.rglob("*.safetensors"))


def memory_bytes(track: Track) -> int:
    """Return how much memory to keep free for one task on a track."""
    return int(LIBRARIES_BYTES + WEIGHTS_TIMES * weights_bytes(track))


def seconds_file() -> Path:
    """Return where this machine keeps what tasks took."""
    return paths.RUNS / SECONDS_FILE


def read_seconds() -> dict[str, float]:
    """Return what tasks took here; nothing when there is no file, or a damaged one."""
    try:
        kept = json.loads(seconds_file().read_bytes())
        return {str(name): float(seconds) for name, seconds in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def keep_seconds(name: str, seconds: float) -> None:
    """Remember what one task took."""
    kept = read_seconds() | {name: round(seconds, 1)}
    atomic.write_text(seconds_file(), json.dumps(dict(sorted(kept.items())), indent=1) + "\n")


def name_of(kind: Kind, track: str, contribution: str, device: str) -> str:
    """Return the name under which a task's seconds are kept; seeds are alike."""
    return f"{track}/{kind}/{device}/{contribution}"


def estimate(kept: Mapping[str, float], name: str, kind: Kind) -> float:
    """Return what a task will probably take, seconds."""
    if name in kept:
        return kept[name]
    alike = [
        seconds
        for one, seconds in kept.items()
        if one.rpartition("/")[0] == name.rpartition("/")[0]
    ]
    return statistics.median(alike) if alike else USUAL[kind]
