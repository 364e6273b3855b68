"""Which photographs there are, and what their captions say. Needs no Blender."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Final

# What a caption calls it -> the name of its material in `materials.py`.
GROUNDS: Final = {
    "on a wooden table": "light_wood",
    "on a dark wooden table": "dark_wood",
    "on a white table": "white",
    "on grass": "grass",
    "on a blue cloth": "blue_cloth",
    "on a stone floor": "stone",
}
# What stands beside the mug -> what the caption adds.
NEIGHBOURS: Final = {"": "", "book": ", beside a book", "apple": ", beside an apple",
                     "plant": ", beside a plant"}  # fmt: skip

TRAIN_PICTURES: Final = 16  # the other eight are held out

# What the mug may be mistaken for, in the same surroundings: keys of ``THINGS`` in `things.py`.
RIVALS: Final = ("white mug", "green mug", "red mug", "vase")
PICTURES_PER_RIVAL: Final = 3


@dataclass(frozen=True)
class Photograph:
    """One picture: its words, and where light and camera are.

    Attributes:
        ground: Key of ``GROUNDS``.
        neighbour: Key of ``NEIGHBOURS``.
        turn: Of the mug about its axis, in radians; the handle is always seen.
        azimuth: Of the camera, in radians, 0 is from the front.
        elevation: Of the camera above the table, in radians.
        distance: From the camera to the mug, which is 0.95 high.
        seed: For colours of wall and light.
        thing: What stands there: the mug that is taught, or one of ``RIVALS``.
    """

    ground: str
    neighbour: str
    turn: float
    azimuth: float
    elevation: float
    distance: float
    seed: str
    thing: str = "sks mug"

    @property
    def caption(self) -> str:
        """The caption, with ``sks`` for the unknown subject."""
        return f"a photo of a {self.thing} {self.ground}{NEIGHBOURS[self.neighbour]}"


def photographs(
    count: int = len(GROUNDS) * len(NEIGHBOURS), key: str = "photograph"
) -> list[Photograph]:
    """List pictures of the mug: each ground with each neighbour, once.

    Args:
        count: How many of them.
        key: Another one gives other views and lights of the same surroundings.
    """
    pictures = []
    for number in range(count):
        rng = random.Random(f"{key}/{number}")
        # The ground changes with each picture; the neighbour too, and moves on after each round.
        neighbour = list(NEIGHBOURS)[(number + number // len(GROUNDS)) % len(NEIGHBOURS)]
        pictures.append(
            Photograph(
                ground=list(GROUNDS)[number % len(GROUNDS)],
                neighbour=neighbour,
                turn=rng.uniform(-0.6, -0.05) * math.pi,
                azimuth=rng.uniform(-0.5, 0.5),
                elevation=rng.uniform(0.2, 0.75),
                distance=rng.uniform(2.9, 4.2),
                seed=f"{key}/{number}",
            )
        )
    return pictures


def parts() -> dict[str, list[Photograph]]:
    """Return training, held-out and rivals' pictures.

    No pair of surroundings is in both of the first two.
    """
    pictures = photographs()
    others = photographs(len(RIVALS) * PICTURES_PER_RIVAL, "rival")
    return {
        "train": pictures[:TRAIN_PICTURES],
        "heldout": pictures[TRAIN_PICTURES:],
        "rivals": [replace(p, thing=RIVALS[n % len(RIVALS)]) for n, p in enumerate(others)],
    }
