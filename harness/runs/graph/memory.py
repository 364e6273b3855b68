"""How much memory a task needs: by the size of its base, or by what a run was seen to use."""

from __future__ import annotations

import math
from pathlib import Path

from harness.protocol.row import Row
from harness.protocol.track import Track
from toolkit.base_models.checkpoint import TEXT_MODELS, UNET, VAE
from toolkit.base_models.complete import PARTS
from toolkit.base_models.hub import SPARE as OTHER_VERSIONS
from toolkit.core.errors import HubError
from toolkit.lora_files.header import read_header

GIB = 2**30
# A worker of the embedded base has 0.7 GiB resident; torch and diffusers alone are most of it.
LIBRARIES_BYTES = GIB
FLOAT32 = 4  # bytes
MODELS = (UNET, VAE, TEXT_MODELS)  # beginnings of the names in a checkpoint
# Weights are read in float32, and probing and gradients need as much again.
WEIGHTS_TIMES = 3.0
SPARE = 1.25  # above the highest peak that was seen


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
