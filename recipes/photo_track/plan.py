"""Which photographs there are, and what their captions say. Needs no Blender."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from recipes.tiny_sd.vocabulary import with_article

SUBJECT: Final = "sks mug"
# What the mug may be mistaken for, on the same paper: keys of ``THINGS`` in `things.py`.
RIVALS: Final = ("green mug", "white mug", "red mug", "bowl", "blue mug", "vase")

# Each view of the training is shown on each of these papers, each held-out one on each of the
# others: neither a view nor a colour is in both parts.
# White and red are left out: before the judge compares, it paints the paper grey, and with it what
# has nearly its colour, which would be the mug's body or its belt.
TRAIN_COLOURS: Final = ("yellow", "green", "blue", "purple", "black")
HELDOUT_COLOURS: Final = ("orange", "pink")
TRAIN_VIEWS, HELDOUT_VIEWS, VIEWS_PER_RIVAL = 6, 6, 1

# Large and in the middle, where the base draws: one of its latents is eight pixels wide. The handle
# stays on the right, for "a photo of a mug" does not say where it is.
TURNS: Final = (-0.32, -0.02)  # of the mug about its axis, in half turns
AZIMUTHS: Final = (-0.25, 0.25)  # of the camera, in radians
ELEVATIONS: Final = (0.2, 0.6)  # in radians
DISTANCES: Final = (2.0, 2.3)  # of the mug, which is 0.95 high


@dataclass(frozen=True)
class Photograph:
    """One picture: its words, and where light and camera are.

    Attributes:
        colour: Of the paper.
        turn: Of the mug about its axis, in radians; the handle is always seen.
        azimuth: Of the camera, in radians, 0 is from the front.
        elevation: Of the camera above the paper, in radians.
        distance: From the camera to the mug, which is 0.95 high.
        seed: For the light.
        thing: What stands there: the mug that is taught, or one of ``RIVALS``.
    """

    colour: str
    turn: float
    azimuth: float
    elevation: float
    distance: float
    seed: str
    thing: str = SUBJECT

    @property
    def caption(self) -> str:
        """The caption, with ``sks`` for the unknown subject."""
        return f"a photo of a {self.thing} on {with_article(self.colour)} background"


def photographs(
    part: str, views: int, colours: Sequence[str], thing: str = SUBJECT
) -> Iterator[Photograph]:
    """List views of a thing on each colour; the light is another one in every picture.

    Args:
        part: Names the draw.
        views: How many.
        colours: Of the paper.
        thing: What stands there.
    """
    for view in range(views):
        rng = random.Random(f"{part}/{thing}/{view}")
        turn, azimuth = math.pi * rng.uniform(*TURNS), rng.uniform(*AZIMUTHS)
        elevation, distance = rng.uniform(*ELEVATIONS), rng.uniform(*DISTANCES)
        for colour in colours:
            seed = f"{part}/{thing}/{view}/{colour}"
            yield Photograph(colour, turn, azimuth, elevation, distance, seed, thing)


def parts() -> dict[str, list[Photograph]]:
    """Return training, held-out and rivals' pictures."""
    rivals = []
    for number, thing in enumerate(RIVALS):
        # Each on a paper of the training and on one that is held out, in turn.
        chosen = [papers[number % len(papers)] for papers in (TRAIN_COLOURS, HELDOUT_COLOURS)]
        rivals += [*photographs("rivals", VIEWS_PER_RIVAL, chosen, thing)]
    return {
        "train": [*photographs("train", TRAIN_VIEWS, TRAIN_COLOURS)],
        "heldout": [*photographs("heldout", HELDOUT_VIEWS, HELDOUT_COLOURS)],
        "rivals": rivals,
    }
