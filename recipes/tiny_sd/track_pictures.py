"""The tracks' own pictures: the base never trains on them, but it has to be able to draw them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from PIL import Image

from .composite import to_tensor
from .settings import RESOLUTION_PX

TRACKS: Final = Path(__file__).resolve().parents[2] / "tracks"
NAMES: Final = ("robot", "streamline", "binding")


def track_pictures(name: str, side_px: int = RESOLUTION_PX) -> torch.Tensor:
    """Read all training and held-out pictures of a track, as the scorer reads them.

    Args:
        name: Folder under ``tracks``.
        side_px: Width and height they are scaled to.

    Returns:
        pixel_values (N, 3, side_px, side_px) in [-1, 1], in the order of their names.
    """
    folder = TRACKS / name
    paths = [
        p for part in ("train", "heldout") for p in sorted(folder.glob(f"{part}/Images/*.png"))
    ]
    size = (side_px, side_px)
    pictures = [
        Image.open(path).convert("RGB").resize(size, Image.Resampling.LANCZOS) for path in paths
    ]
    return to_tensor(pictures)
