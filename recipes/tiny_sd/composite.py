"""Composites: an icon at a random size and place on a coloured background."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from .backdrops import Colour
from .settings import RESOLUTION_PX


@dataclass(frozen=True)
class Placement:
    """How an icon lies in the picture."""

    scale: float  # longest side of the drawing as a share of the picture's side
    size_word: str | None
    x: float  # 0 = leftmost place where the drawing fits, 1 = rightmost
    y: float


def sample_placement(rng: random.Random, spread: float = 1.0) -> Placement:
    """Draw size and place; most are of usual size, for that is what no size word means.

    Args:
        rng: Source of the draw.
        spread: Share of the free room that drawings of usual and large size move in; small ones
            move in all of it.

    Returns:
        The placement.
    """
    draw = rng.random()
    if draw < 0.15:
        scale, word, spread = rng.uniform(0.48, 0.58), "small", 1.0
    elif draw < 0.30:
        scale, word = rng.uniform(0.90, 0.97), "large"
    else:
        scale, word = rng.uniform(0.72, 0.84), ""
    spoken = word if word and rng.random() < 0.9 else None
    x, y = (0.5 + spread * (rng.random() - 0.5) for _ in range(2))
    return Placement(scale, spoken, x, y)


def paste_icon(picture: Image.Image, icon: npt.NDArray[np.uint8], placement: Placement) -> None:
    """Draw an icon into `picture`.

    Args:
        picture: Square RGB canvas, changed in place.
        icon: (S, S, 4) RGBA.
        placement: Size and place.
    """
    drawing = Image.fromarray(np.ascontiguousarray(icon), "RGBA")
    drawing = drawing.crop(drawing.getbbox() or (0, 0, *drawing.size))
    side = picture.width
    factor = placement.scale * side / max(drawing.size)
    width, height = (max(1, round(length * factor)) for length in drawing.size)
    drawing = drawing.resize(
        (width, height), Image.Resampling.BOX if factor < 0.34 else Image.Resampling.BICUBIC
    )
    corner = (
        round(placement.x * (side - width)),
        round(placement.y * (side - height)),
    )
    picture.paste(drawing, corner, drawing)


def compose(
    icon: npt.NDArray[np.uint8],
    background: Colour,
    placement: Placement,
    side_px: int = RESOLUTION_PX,
) -> Image.Image:
    """Make one RGB picture of `side_px` squared."""
    picture = Image.new("RGB", (side_px, side_px), background)
    paste_icon(picture, icon, placement)
    return picture


def to_tensor(pictures: list[Image.Image]) -> torch.Tensor:
    """Stack pictures as pixel_values, (B, 3, H, W) float32 in [-1, 1]."""
    stacked = np.stack([np.asarray(picture) for picture in pictures])  # (B, H, W, 3) uint8
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
