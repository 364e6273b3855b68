"""The base's measurement as a file: once per track, base, protocol, packages and processor.

What is read is what was hashed: a file that changed since it was measured is refused.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load, save
from torch import Tensor

from harness.protocol.figures import Loss
from harness.scoring.grid import Grid
from harness.scoring.jobs import BenchFile
from harness.scoring.likeness import Gallery
from harness.scoring.measuring import DRIFT_KINDS, Grids, Known, Look
from toolkit.core import atomic
from toolkit.core.errors import HubError

ABOUT = "about"  # in the header: all that is no tensor
GRID_TENSORS = ("noisy_latents", "noise", "timesteps", "caption_index")
GALLERY_TENSORS = ("heldout", "train", "contrast")


def write(known: Known, path: Path) -> str:
    """Write the file and return its sha256."""
    grids: dict[str, Grid] = {"heldout": known.grids.heldout, "train": known.grids.train}
    grids |= {str(kind): grid for kind, grid in known.grids.drift.items()}
    tensors = {
        f"{name}.{part}": getattr(grid, part)
        for name, grid in grids.items()
        for part in GRID_TENSORS
    }
    about: dict[str, Any] = {
        "grids": {name: [grid.captions, grid.batch_size] for name, grid in grids.items()},
        "losses": [one.model_dump() for one in (known.base.heldout, known.base.train)],
    }
    tensors |= {f"base.{kind}": noise for kind, noise in known.base.noise.items()}
    drawn = np.stack([np.asarray(picture) for picture in known.base.drawn])  # (n, H, W, 3)
    tensors["drawn"] = torch.from_numpy(drawn)
    if known.gallery is not None:
        tensors |= {f"gallery.{part}": getattr(known.gallery, part) for part in GALLERY_TENSORS}
        about["stems"] = [known.gallery.heldout_stems, known.gallery.contrast_stems]
    about["strides"] = {name: tensor.stride() for name, tensor in tensors.items()}
    plain = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    data = save(plain, metadata={ABOUT: json.dumps(about)})
    atomic.write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def read(file: BenchFile, device: torch.device) -> Known:
    """Return what was written, to the bit.

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

    def grid(name: str) -> Grid:
        parts: dict[str, Tensor] = {part: tensors[f"{name}.{part}"] for part in GRID_TENSORS}
        placed = {k: v if k == "caption_index" else v.to(device) for k, v in parts.items()}
        captions, batch_size = about["grids"][name]
        return Grid(**placed, captions=captions, batch_size=batch_size)

    gallery = None
    if "stems" in about:
        heldout, contrast = (tuple(names) for names in about["stems"])
        features = (tensors[f"gallery.{part}"] for part in GALLERY_TENSORS)
        own, train, others = features
        gallery = Gallery(own, heldout, train, others, contrast)
    noise = {kind: tensors[f"base.{kind}"].to(device) for kind in DRIFT_KINDS}
    drawn = [Image.fromarray(picture.numpy()) for picture in tensors["drawn"]]
    losses = [Loss.model_validate(one) for one in about["losses"]]
    drift = {kind: grid(kind) for kind in DRIFT_KINDS}
    grids = Grids(grid("heldout"), grid("train"), drift)
    return Known(grids, gallery, Look(losses[0], losses[1], noise, drawn))
