"""From losses to a judgement: who is recommended on one half, who is best on the other."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.runs.own.recommend import chances_of, two_way_interval

Losses = npt.NDArray[np.float64]


class Half(NamedTuple):
    """What was measured on one half of the held-out pictures."""

    base: list[float]  # the base's loss on each picture
    losses: dict[str, list[list[float]]]  # contribution -> seed -> picture

    @property
    def gains(self) -> Losses:
        """The gain of each contribution, with each seed, on each picture: (N, seeds, pictures)."""
        base = np.array(self.base)
        gains: Losses = (base - np.array(list(self.losses.values()))) / base.mean()
        return gains


class Line(NamedTuple):
    """One split: all that was measured, so that it can be judged anew."""

    split: int
    a: Half  # recommends
    b: Half  # judges the recommendation


class Judgement(NamedTuple):
    """What one split showed."""

    first: str  # the largest gain on A: what a contest recommends
    chance: float  # how often it says that this one would come first elsewhere
    tied: tuple[str, ...]  # what it says cannot be told apart
    best: str  # the largest gain on B
    lost: float  # gain on B of the best less that of the recommended, share of the base's loss
    spread: float  # gain on B of the best less that of the worst


def judge(line: Line) -> Judgement:
    """Recommend on A and look at B.

    Raises:
        ValueError: A half has a single picture or seed.
    """
    names = list(line.a.losses)
    on_a, on_b = (half.gains.mean(axis=(1, 2)) for half in (line.a, line.b))  # (N,)
    first, best = int(on_a.argmax()), int(on_b.argmax())
    chances = chances_of(-line.a.gains)
    if chances is None:
        raise ValueError("a half needs two pictures and two seeds")
    tied = []
    for number, name in enumerate(names):
        interval = two_way_interval(line.a.gains[first] - line.a.gains[number])
        if number != first and (interval is None or interval[0] <= 0):
            tied.append(name)
    return Judgement(
        first=names[first],
        chance=float(chances[first]),
        tied=tuple(tied),
        best=names[best],
        lost=float(on_b[best] - on_b[first]),
        spread=float(on_b[best] - on_b.min()),
    )


def summary(lines: Sequence[Line]) -> str:
    """Say what the splits show."""
    found = [judge(line) for line in lines]
    held = sum(one.first == one.best for one in found)
    among = sum(one.best in (one.first, *one.tied) for one in found)
    alone = [one for one in found if not one.tied]
    alone_held = sum(one.first == one.best for one in alone)
    return (
        f"The recommended one was also the best on the second half in {held} of {len(found)} "
        f"splits; the contests had said {statistics.fmean(one.chance for one in found):.0%} on "
        f"average. In {len(alone)} of them all others were clearly behind it; there it was the "
        f"best again in {alone_held}. In {among} of {len(found)} the best was the recommended one "
        "or named as not to be told apart from it. Taking the recommended one cost "
        f"{100 * statistics.fmean(one.lost for one in found):.2f} points of gain on average, at "
        f"most {100 * max(one.lost for one in found):.2f}; the best and the worst were "
        f"{100 * statistics.fmean(one.spread for one in found):.2f} apart."
    )
