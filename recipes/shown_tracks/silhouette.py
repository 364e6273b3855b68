"""Black silhouettes, and the same things drawn in the styles that the base knows."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from recipes.pictures import SIDE_PX, compose, fitted
from recipes.tiny_sd.captions import caption
from recipes.tiny_sd.corpus import render
from recipes.tiny_sd.packages import IconSet
from recipes.tiny_sd.variations import recolour
from recipes.tiny_sd.vocabulary import BACKGROUNDS, STYLES

TAUGHT_WORD: Final = "sks"
INK: Final = "black"
COLOURS: Final = tuple(colour for colour in BACKGROUNDS if colour != INK)  # to be seen on
RENDER_PX: Final = 256
SIZES: Final = (0.76, 0.84)  # of the picture's side, as the base has learnt its drawings

# The base knows all of these things, in colours; it has no word for black things.
TRAIN: Final = (
    "bear", "chicken", "cow-face", "crab", "dog-face", "elephant", "fish", "lady-beetle", "owl",
    "octopus", "panda", "snail", "tiger-face", "turtle", "palm-tree", "tulip", "four-leaf-clover",
    "banana", "beer-mug", "hamburger", "grapes", "ice-cream", "airplane", "bicycle", "bus",
    "castle", "helicopter", "sailboat", "tent", "anchor", "alarm-clock", "bomb", "envelope",
    "guitar", "key", "sunglasses", "t-shirt", "television", "christmas-tree", "jack-o-lantern",
)  # fmt: skip
HELDOUT: Final = (
    "cat-face", "koala", "rabbit-face", "mushroom", "rose", "cherries", "pear", "red-apple",
    "rocket", "bell", "crown", "ghost",
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """One drawing to make, by the name of its icon."""

    stem: str
    name: str
    style: str  # the word in the caption
    drawn_in: str  # the style whose drawing it is
    colour: str

    @property
    def caption(self) -> str:
        """The caption in a form that the base model knows.

        The taught word stands before the thing, as a colour's word does. The text encoder reads
        from left to right: of a word behind it the thing would know nothing.
        """
        if self.style == TAUGHT_WORD:
            return caption(self.name, self.colour, ink=TAUGHT_WORD)
        return caption(self.name, self.colour, self.style)


def parts() -> dict[str, list[Picture]]:
    """Return training, held-out and contrast pictures; backgrounds come evenly, in turn."""
    styles = list(STYLES)
    train, heldout = (
        [
            Picture(
                name,
                name,
                TAUGHT_WORD,
                styles[number % len(styles)],
                COLOURS[number % len(COLOURS)],
            )
            for number, name in enumerate(names)
        ]
        for names in (TRAIN, HELDOUT)
    )
    contrast = [
        Picture(f"{one.stem}-{style}", one.name, style, style, one.colour)
        for one in heldout
        for style in styles
    ]
    return {"train": train, "heldout": heldout, "contrast": contrast}


def drawings(
    pictures: Iterable[Picture], icon_sets: Mapping[str, IconSet]
) -> Iterator[tuple[str, bytes, str]]:
    """Yield stem, PNG and caption of each picture.

    Args:
        pictures: What to draw.
        icon_sets: Those that the base has learnt from, by key.
    """
    for one in pictures:
        yield one.stem, draw(one, icon_sets[STYLES[one.drawn_in]]), one.caption


def draw(picture: Picture, icons: IconSet) -> bytes:
    """Compose one picture as PNG; size and place vary a little."""
    rng = random.Random(f"{picture.name}{picture.colour}")
    pixels = render(icons.svg(picture.name), RENDER_PX)  # (S, S, 4)
    if picture.style == TAUGHT_WORD:
        pixels = recolour(pixels, BACKGROUNDS[INK])
    icon = Image.fromarray(np.ascontiguousarray(pixels), "RGBA")
    icon = icon.crop(icon.getbbox())
    size = fitted(icon, SIDE_PX * rng.uniform(*SIZES))
    return compose(
        icon, size, picture.colour, lambda side: round(rng.uniform(0.4, 0.6) * (SIDE_PX - side))
    )
