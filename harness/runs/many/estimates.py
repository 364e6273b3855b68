"""How long a task will take and how much memory it needs, from what earlier ones took.

Seconds are kept per contribution, track, number of seeds and device, on the machine that ran them.
Where there are none, the recorded row has some, measured on the maintainers' machine: good enough
to start the longest first.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness import paths
from harness.protocol.row import Row
from harness.protocol.track import Track
from harness.runs.many.tasks import Task, TaskResult
from toolkit.base_models.checkpoint import TEXT_MODELS, UNET, VAE
from toolkit.base_models.complete import PARTS
from toolkit.base_models.hub import SPARE as OTHER_VERSIONS
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.lora_files.header import read_header

SECONDS_FILE = "seconds.json"  # in runs/

GIB = 2**30
# A worker of the embedded base has 0.7 GiB resident; torch and diffusers alone are most of it.
LIBRARIES_BYTES = GIB
FLOAT32 = 4  # bytes
MODELS = (UNET, VAE, TEXT_MODELS)  # beginnings of the names in a checkpoint
# Weights are read in float32, and probing and gradients need as much again.
WEIGHTS_TIMES = 3.0
SPARE = 1.25  # above the highest peak that was seen

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


def estimate(task: Task, seeds: int, kept: Mapping[str, float], row: Row | None) -> float | None:
    """Return the seconds a task will probably take, or None when nothing is known about it."""
    known = kept.get(name_of(task, seeds))
    if known is not None:
        return known
    if row is None or row.costs is None or task.device != "cpu":
        return None
    measured = len(row.scores) or len(row.own_pictures) or 1
    return BESIDES_TRAINING * row.costs.worker_seconds * seeds / measured


def typical(seconds: Iterable[float | None], otherwise: float = 300.0) -> float:
    """Return what to expect of a task about which nothing is known: the median of the others."""
    known = [one for one in seconds if one is not None]
    return statistics.median(known) if known else otherwise


def weights_bytes(track: Track) -> int:
    """Return the size of a track's base model in memory."""
    return weights_of(track.base_model)


def weights_of(base: Path) -> int:
    """Return the bytes of a base's weights in memory: in float32, whatever its files hold.

    Of a folder only what is loaded counts: not other versions of the same weights, nor a safety
    checker. Of a checkpoint, not its averaged weights.
    """
    files = [base]
    if not base.is_file():
        found = (file for part in PARTS for file in (base / part).glob("*.safetensors"))
        files = [file for file in found if not any(map(file.match, OTHER_VERSIONS))]
    return sum(map(float32_bytes, files))


def float32_bytes(file: Path) -> int:
    """Return the bytes of the weights in a file, in float32; a damaged one counts as it is."""
    try:
        tensors = read_header(file, size_limit=None).tensors
    except HubError:
        return file.stat().st_size
    of_a_base = {name: entry for name, entry in tensors.items() if name.startswith(MODELS)}
    return FLOAT32 * sum(math.prod(entry.shape) for entry in (of_a_base or tensors).values())


def memory_bytes(weights: int, row: Row | None) -> int:
    """Return how much memory to keep free for one process of a task on a base of this size."""
    if row is not None and row.costs is not None and row.costs.peak_memory_bytes:
        return int(max(LIBRARIES_BYTES, SPARE * row.costs.peak_memory_bytes))
    return int(LIBRARIES_BYTES + WEIGHTS_TIMES * weights)
