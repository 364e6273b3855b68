"""Composites: an icon at a random size and place on a coloured background."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from .corpus import GAME_ICONS, Corpus
from .settings import RESOLUTION_PX
from .vocabulary import BACKGROUNDS

Colour = tuple[int, int, int]


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
        picture: RGB canvas, changed in place.
        icon: (S, S, 4) RGBA.
        placement: Size and place.
    """
    drawing = Image.fromarray(np.ascontiguousarray(icon), "RGBA")
    drawing = drawing.crop(drawing.getbbox() or (0, 0, *drawing.size))
    factor = placement.scale * RESOLUTION_PX / max(drawing.size)
    width, height = (max(1, round(side * factor)) for side in drawing.size)
    drawing = drawing.resize(
        (width, height), Image.Resampling.BOX if factor < 0.34 else Image.Resampling.BICUBIC
    )
    corner = (
        round(placement.x * (RESOLUTION_PX - width)),
        round(placement.y * (RESOLUTION_PX - height)),
    )
    picture.paste(drawing, corner, drawing)


def compose(icon: npt.NDArray[np.uint8], background: Colour, placement: Placement) -> Image.Image:
    """Make one RGB picture of `RESOLUTION_PX` squared."""
    picture = Image.new("RGB", (RESOLUTION_PX, RESOLUTION_PX), background)
    paste_icon(picture, icon, placement)
    return picture


def to_tensor(pictures: list[Image.Image]) -> torch.Tensor:
    """Stack pictures as pixel_values, (B, 3, H, W) float32 in [-1, 1]."""
    stacked = np.stack([np.asarray(picture) for picture in pictures])  # (B, H, W, 3) uint8
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


class AutoencoderPictures:
    """Pictures for the autoencoder: more kinds than the U-Net sees, to fit other people's too."""

    def __init__(self, corpus: Corpus) -> None:
        """Sort the corpus's trainable icons into those of concepts and all others."""
        trainable = [i for i, icon in enumerate(corpus.entries) if not icon.held_out]
        self._corpus = corpus
        self._concepts = [i for i in trainable if corpus.entries[i].concept]
        self.trainable = trainable

    def batch(self, size: int, rng: random.Random) -> torch.Tensor:
        """Draw `size` pictures, (B, 3, H, W) in [-1, 1]."""
        return to_tensor([self._draw(rng) for _ in range(size)])

    def _draw(self, rng: random.Random) -> Image.Image:
        background = rng.choice(list(BACKGROUNDS.values()))
        if rng.random() < 0.25:
            background = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
        picture = Image.new("RGB", (RESOLUTION_PX, RESOLUTION_PX), background)
        for _ in range(2 if rng.random() < 0.15 else 1):
            pool = self._concepts if self._concepts and rng.random() < 0.4 else self.trainable
            index = rng.choice(pool)
            icon = np.asarray(self._corpus.pixels[index])  # (S, S, 4)
            if self._corpus.entries[index].set == GAME_ICONS:
                icon = recolour(icon, rng.choice(list(BACKGROUNDS.values())))
            if rng.random() < 0.5:
                icon = icon[:, ::-1]
            paste_icon(picture, icon, sample_placement(rng))
        return picture


def recolour(icon: npt.NDArray[np.uint8], ink: Colour) -> npt.NDArray[np.uint8]:
    """Give a one-colour icon another colour, (S, S, 4) -> (S, S, 4)."""
    coloured = np.empty_like(icon)
    coloured[..., :3] = ink
    coloured[..., 3] = icon[..., 3]
    return coloured
