"""What a job may use by default: the usual, and more for a large base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil

from harness.sandbox.limits import Limits, default_limits
from toolkit.core.record import Record

# Copies of the base in memory at once: clean and trained, each in float32 though its file may be
# in float16, and the merged one that the change is proven with.
COPIES_IN_MEMORY = 8
MOST_OF_MEMORY = 3 / 4


def allowance(job: Record, wall_s: float) -> Limits:
    """Return the limits of a job.

    The embedded base needs far less than the usual limits. Stable Diffusion 1.4 does not: its
    change alone, which a training writes in float32, may have 4 GB.
    """
    usual = default_limits(wall_s, int(getattr(job, "threads", 1)))
    size = weight_bytes(str(getattr(job, "base_model", "")))
    deltas = 2 if hasattr(job, "seed") else 1
    memory = int(psutil.virtual_memory().total * MOST_OF_MEMORY)
    return replace(
        usual,
        memory_bytes=min(memory, max(usual.memory_bytes, COPIES_IN_MEMORY * size)),
        disk_bytes=usual.disk_bytes + 2 * deltas * size,
    )


def weight_bytes(base: str) -> int:
    """Return the bytes of a base's weights on disk: of a folder's files, or of the one file."""
    path = Path(base)
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*.safetensors")) if base else 0
