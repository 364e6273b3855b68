"""Read the hub's own pictures with their captions, under limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from toolkit.images.sheet import open_picture


def read_folder(folder: Path, resolution: int) -> tuple[Tensor, list[str]]:
    """Read ``Images/`` with ``ImageCaptions/``, in the order of their names.

    Returns:
        ``pixel_values`` (N, 3, resolution, resolution), float32 in [-1, 1], and N captions.
    """
    captions = [
        (folder / "ImageCaptions" / f"{stem}.txt").read_text(encoding="utf-8").strip()
        for stem in stems(folder)
    ]
    return read_pictures(folder, resolution), captions


def read_pictures(folder: Path, resolution: int) -> Tensor:
    """Read ``Images/`` in the order of their names: (N, 3, resolution, resolution) in [-1, 1]."""
    stacked = []
    for path in files(folder):
        picture = ImageOps.fit(
            open_picture(path), (resolution, resolution), Image.Resampling.LANCZOS
        )
        array = np.asarray(picture, dtype=np.float32) / 127.5 - 1.0  # (H, W, 3)
        stacked.append(torch.from_numpy(array).permute(2, 0, 1))  # (3, H, W)
    return torch.stack(stacked)


def files(folder: Path) -> list[Path]:
    """Return the pictures of a folder, in the order of their names."""
    return sorted((folder / "Images").iterdir())


def stems(folder: Path) -> tuple[str, ...]:
    """Return the names of a folder's pictures without their endings, in the same order."""
    return tuple(path.stem for path in files(folder))
