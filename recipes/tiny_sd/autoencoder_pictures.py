"""Pictures for the autoencoder: more kinds than the U-Net sees, to fit other people's too."""

from __future__ import annotations

import random

import numpy as np
import torch
from PIL import Image

from .backdrops import draw_backdrop, random_colour
from .composite import Placement, paste_icon, sample_placement, to_tensor
from .corpus import GAME_ICONS, Corpus
from .settings import RESOLUTION_PX
from .variations import recolour, vary


class AutoencoderPictures:
    """One to four drawings, varied, on any backdrop."""

    def __init__(self, corpus: Corpus, side_px: int = RESOLUTION_PX) -> None:
        """Sort the corpus's trainable icons into those of concepts and all others."""
        self._side_px = side_px
        trainable = [i for i, icon in enumerate(corpus.entries) if not icon.held_out]
        self._corpus = corpus
        self._concepts = [i for i in trainable if corpus.entries[i].concept]
        self.trainable = trainable

    def batch(self, size: int, rng: random.Random) -> torch.Tensor:
        """Draw `size` pictures, (B, 3, H, W) in [-1, 1]."""
        return to_tensor([self.draw(rng) for _ in range(size)])

    def draw(self, rng: random.Random) -> Image.Image:
        """Draw one RGB picture."""
        picture = draw_backdrop(self._side_px, rng)
        for _ in range(rng.choice((1, 1, 1, 1, 1, 1, 2, 2, 3, 4))):
            paste_icon(picture, self._icon(rng), _any_placement(rng))
        return picture

    def _icon(self, rng: random.Random) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        few = bool(self._concepts) and rng.random() < 0.3
        index = rng.choice(self._concepts if few else self.trainable)
        icon = np.asarray(self._corpus.pixels[index])  # (S, S, 4)
        if self._corpus.entries[index].set == GAME_ICONS:
            icon = recolour(icon, random_colour(rng))
        return vary(icon, rng)


def _any_placement(rng: random.Random) -> Placement:
    """Place most drawings as captions speak of them, some of any size down to a quarter."""
    if rng.random() < 0.75:
        return sample_placement(rng)
    return Placement(rng.uniform(0.25, 1.0), None, rng.random(), rng.random())
