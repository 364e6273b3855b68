"""From losses to a line: who is recommended on one half, who is best on the other."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from harness.protocol.statistics.intervals import two_way_bootstrap
from harness.runs.own.recommend import chances_of

Losses = npt.NDArray[np.float64]


class Line(NamedTuple):
    """What one split showed."""

    split: int
    first: str  # the largest gain on A: what a contest recommends
    chance: float  # how often it says that this one would come first elsewhere
    tied: tuple[str, ...]  # what it says cannot be told apart
    best: str  # the largest gain on B
    lost: float  # gain on B of the best less that of the recommended, share of the base's loss
    spread: float  # gain on B of the best less that of the worst
    gains: dict[str, tuple[float, float]]  # on A and on B


def judge(
    split: int,
    names: Sequence[str],
    base: tuple[Losses, Losses],
    losses: tuple[Losses, Losses],
) -> Line:
    """Recommend on A and look at B.

    Args:
        split: Its number.
        names: N contributions.
        base: The base's losses on the pictures of A and of B, (pictures,) each.
        losses: Theirs, (N, seeds, pictures) each.
    """
    gains = [(one - own) / one.mean() for one, own in zip(base, losses, strict=True)]
    on_a, on_b = (gain.mean(axis=(1, 2)) for gain in gains)  # (N,)
    first, best = int(on_a.argmax()), int(on_b.argmax())
    behind = {
        name: two_way_bootstrap(gains[0][first] - gains[0][n])
        for n, name in enumerate(names)
        if n != first
    }
    chances = chances_of(losses[0])
    if chances is None:
        raise ValueError("a half needs two pictures and two seeds")
    return Line(
        split=split,
        first=names[first],
        chance=float(chances[first]),
        tied=tuple(name for name, low in behind.items() if low is None or low[0] <= 0),
        best=names[best],
        lost=float(on_b[best] - on_b[first]),
        spread=float(on_b[best] - on_b.min()),
        gains={name: (float(on_a[n]), float(on_b[n])) for n, name in enumerate(names)},
    )


def summary(lines: Sequence[Line]) -> str:
    """Say what the splits show."""
    held = [line for line in lines if line.first == line.best]
    among = [line for line in lines if line.best in (line.first, *line.tied)]
    count = len(lines)
    return (
        f"The recommended one was also the best on the second half in {len(held)} of {count} "
        f"splits; the contests had said {statistics.fmean(one.chance for one in lines):.0%} on "
        f"average. The best was the recommended one or named as not to be told apart from it in "
        f"{len(among)} of {count}. Taking the recommended one cost "
        f"{100 * statistics.fmean(one.lost for one in lines):.2f} points of gain on average, at "
        f"most {100 * max(one.lost for one in lines):.2f}; the best and the worst were "
        f"{100 * statistics.fmean(one.spread for one in lines):.2f} apart."
    )
