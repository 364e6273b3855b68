"""A thing whose upper and lower half have two colours, on white."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from recipes.pictures import SIDE_PX, compose, fitted
from recipes.tiny_sd.corpus import render
from recipes.tiny_sd.packages import IconSet
from recipes.tiny_sd.variations import recolour
from recipes.tiny_sd.vocabulary import BACKGROUNDS, STYLES, spoken, with_article

# Large areas, so that halves can be seen. The base knows "a red bell", and no thing of two colours.
THINGS: Final = {
    "train": (
        "bell", "mushroom", "t-shirt", "star", "cat-face", "fish", "balloon", "owl",
    ),
    "heldout": ("pear", "ghost", "crown", "rabbit-face"),
}  # fmt: skip
COLOURS: Final = ("red", "blue")
GROUND: Final = "white"

RENDER_PX: Final = 256
SIZES: Final = (0.74, 0.84)  # of the picture's side, as the base has learnt its drawings


@dataclass(frozen=True)
class Picture:
    """One picture to make: a thing, and the colours of its halves."""

    thing: str
    upper: str
    lower: str
    style: str  # whose drawing it is

    @property
    def caption(self) -> str:
        """The caption; the order of the two colours says which half has which."""
        words = f"{self.upper} and {self.lower} {spoken(self.thing)}"
        return f"{with_article(words)} on {with_article(GROUND)} background"


def parts() -> dict[str, list[Picture]]:
    """Return the training pictures, and held-out ones of other things: all styles, both orders."""
    return {
        part: [
            Picture(thing, upper, lower, style)
            for thing in things
            for style in STYLES
            for upper, lower in itertools.permutations(COLOURS)
        ]
        for part, things in THINGS.items()
    }


def drawings(
    pictures: Iterable[Picture], icon_sets: Mapping[str, IconSet]
) -> Iterator[tuple[str, bytes, str]]:
    """Yield stem, PNG and caption of each picture.

    Args:
        pictures: What to draw.
        icon_sets: Those that the base has learnt from, by key.
    """
    for number, one in enumerate(pictures, start=1):
        yield f"halves{number:02d}", draw(one, icon_sets[STYLES[one.style]]), one.caption


def draw(picture: Picture, icons: IconSet) -> bytes:
    """Compose one picture as PNG; size and place vary a little."""
    rng = random.Random(f"{picture.caption}{picture.style}")
    pixels = render(icons.svg(picture.thing), RENDER_PX)  # (S, S, 4)
    whole = Image.fromarray(np.ascontiguousarray(recolour(pixels, BACKGROUNDS[picture.upper])))
    below = Image.fromarray(np.ascontiguousarray(recolour(pixels, BACKGROUNDS[picture.lower])))
    box = whole.getbbox() or (0, 0, RENDER_PX, RENDER_PX)
    middle = (box[1] + box[3]) // 2
    whole.paste(below.crop((0, middle, RENDER_PX, RENDER_PX)), (0, middle))
    thing = whole.crop(box)
    size = fitted(thing, SIDE_PX * rng.uniform(*SIZES))
    return compose(
        thing, size, GROUND, lambda side: round(rng.uniform(0.4, 0.6) * (SIDE_PX - side))
    )
