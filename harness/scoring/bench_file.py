"""The base's measurement as a file: once per track, base, protocol, packages and processor.

What is read is what was hashed: a file that changed since it was measured is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load, save
from torch import Tensor

from harness.protocol.figures import Loss
from harness.scoring.grid import Grid
from harness.scoring.hits import Candidates
from harness.scoring.jobs import BenchFile
from harness.scoring.likeness import Gallery
from harness.scoring.measuring import DRIFT_KINDS, Known, Look
from toolkit.core import atomic
from toolkit.core.errors import HubError

ABOUT = "about"  # in the header: all that is no tensor
GRID_TENSORS = ("noisy_latents", "noise", "timesteps", "caption_index")
GALLERY_TENSORS = ("heldout", "train", "contrast")
CANDIDATE_TENSORS = ("taught", "others", "of_base")


def write(known: Known, path: Path) -> str:
    """Write the file and return its sha256."""
    grids: dict[str, Grid] = {"heldout": known.heldout_grid, "train": known.train_grid}
    grids |= {str(kind): grid for kind, grid in known.drift_grids.items()}
    about: dict[str, Any] = {
        "grids": {name: [grid.captions, grid.batch_size] for name, grid in grids.items()},
        "losses": [one.model_dump() for one in (known.base.heldout, known.base.train)],
    }
    tensors: dict[str, Tensor] = {}
    for name, grid in grids.items():
        tensors |= parts_of(f"grid.{name}", grid, GRID_TENSORS)
    tensors |= {f"noise.{kind}": noise for kind, noise in known.base.noise.items()}
    drawn = np.stack([np.asarray(picture) for picture in known.base.drawn])  # (n, H, W, 3)
    tensors["drawn"] = torch.from_numpy(drawn)
    if known.gallery is not None:
        tensors |= parts_of("gallery", known.gallery, GALLERY_TENSORS)
        about["gallery"] = [known.gallery.heldout_stems, known.gallery.contrast_stems]
    if known.candidates is not None:
        tensors |= parts_of("candidates", known.candidates, CANDIDATE_TENSORS)
        about["candidates"] = [known.candidates.taught_stems, known.candidates.others_of]
    about["strides"] = {name: tensor.stride() for name, tensor in tensors.items()}
    plain = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    data = save(plain, metadata={ABOUT: json.dumps(about)})
    atomic.write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def parts_of(name: str, whole: object, parts: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the tensors of a record by the names that they have in the file."""
    return {f"{name}.{part}": getattr(whole, part) for part in parts}


def read(file: BenchFile, device: torch.device) -> Known:
    """Return what was written, to the bit.

    Args:
        file: The file and its sha256.
        device: Where models predict; features stay on the CPU, as they were.

    Raises:
        HubError: The file is not the one that was written.
    """
    data = file.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise HubError(
            "The base's measurement changed since it was written.",
            where=str(file.path),
            fix="Remove it; the next run measures the base again.",
        )
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    about = json.loads(header["__metadata__"][ABOUT])
    # Laid out in memory as they were: the layout decides in which order a kernel sums up.
    tensors = {
        name: torch.empty_strided(tensor.shape, about["strides"][name], dtype=tensor.dtype).copy_(
            tensor
        )
        for name, tensor in load(data).items()
    }
    gallery, candidates = None, None
    if "gallery" in about:
        heldout, contrast = (tuple(names) for names in about["gallery"])
        taken = take(tensors, "gallery", GALLERY_TENSORS)
        gallery = Gallery(**taken, heldout_stems=heldout, contrast_stems=contrast)
    if "candidates" in about:
        taught, others = about["candidates"]
        taken = take(tensors, "candidates", CANDIDATE_TENSORS)
        of = None if others is None else tuple(others)
        candidates = Candidates(**taken, taught_stems=tuple(taught), others_of=of)
    noise = {kind: tensors[f"noise.{kind}"].to(device) for kind in DRIFT_KINDS}
    drawn = [Image.fromarray(picture.numpy()) for picture in tensors["drawn"]]
    losses = [Loss.model_validate(one) for one in about["losses"]]

    def grid(name: str) -> Grid:
        parts = take(tensors, f"grid.{name}", GRID_TENSORS)
        placed = {k: v if k == "caption_index" else v.to(device) for k, v in parts.items()}
        captions, batch_size = about["grids"][name]
        return Grid(**placed, captions=captions, batch_size=batch_size)

    drift = {kind: grid(kind) for kind in DRIFT_KINDS}
    base = Look(losses[0], losses[1], noise, drawn)
    return Known(grid("heldout"), grid("train"), drift, gallery, candidates, base)


def take(
    tensors: Mapping[str, Tensor], name: str, parts: tuple[str, ...]
) -> dict[str, Any]:  # Any: a record's other fields stand beside them
    """Return the tensors of one record by its own names."""
    return {part: tensors[f"{name}.{part}"] for part in parts}
