"""Which contribution to take for some pictures, and how certain that is.

The one with the largest gain, but its name alone would promise too much: another seed, or other
pictures of the same thing, might have put another one first. So both are drawn anew many times, and
how often each comes first is told; and so is who cannot be told apart from the first.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.protocol.figures import PictureFigures, hit_interval, hit_rate
from harness.protocol.row import Row
from harness.protocol.statistics.intervals import DRAWS, Interval
from harness.protocol.statistics.student import quantile


@dataclass(frozen=True)
class Standing:
    """One contribution of a contest."""

    row: Row
    gain: float  # share by which the held-out loss falls below the base's
    gain_interval: Interval | None  # over other seeds and pictures; None: too few for one
    chance: float | None  # of being first with other seeds and pictures, 0 to 1
    is_first: bool
    behind: Interval | None  # how much lower its gain is than the first one's
    hit_rate: float | None  # share of pictures that show what was taught
    hit_interval: Interval | None  # over those pictures
    drift: float
    time_ratio: float | None

    @property
    def name(self) -> str:
        """Whose it is."""
        return self.row.contribution

    @property
    def is_tied(self) -> bool:
        """Whether it cannot be told apart from the first one."""
        return not self.is_first and (self.behind is None or self.behind[0] <= 0)


@dataclass(frozen=True)
class Recommendation:
    """What a contest ends with; the standings begin with the largest gain."""

    standings: tuple[Standing, ...]
    seeds: int
    pictures: int

    @property
    def first(self) -> Standing:
        """The one with the largest gain."""
        return self.standings[0]

    @property
    def learnt(self) -> bool:
        """Whether the first one surely learnt anything about pictures it has not seen."""
        interval = self.first.gain_interval
        return self.first.gain > 0 and (interval is None or interval[0] > 0)

    @property
    def chosen(self) -> bool:
        """Whether there is one to take: it surely learnt, and was compared with another."""
        return self.learnt and len(self.standings) > 1

    @property
    def tied(self) -> tuple[Standing, ...]:
        """Those that cannot be told apart from the first one."""
        return tuple(one for one in self.standings if one.is_tied)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it to a person: what to take, how certain that is, what speaks for another one."""
        first = self.first
        seeds = "1 seed" if self.seeds == 1 else f"{self.seeds} seeds"
        measured = f"{self.pictures} held-out pictures and {seeds}"
        if len(self.standings) == 1:
            return (
                f"Only {first.name} has figures, a gain of {first.gain:.1%}"
                f"{span(first.gain_interval)} ({measured}): there is nothing to compare it with.",
                "Mend what is wrong with the others and type the same command again; what is "
                "known is kept.",
            )
        if not self.learnt:
            return (
                f"Take none of them yet: the largest gain, that of {first.name}, is "
                f"{first.gain:.1%}{span(first.gain_interval)}, so it is not certain that anything "
                "was learnt about pictures it has not seen.",
                f"More seeds than {self.seeds} make that interval narrower; more pictures, or a "
                "track with more --steps, may raise the gain.",
            )
        told = [
            f"Take {first.name}: its gain is {first.gain:.1%}{span(first.gain_interval)}, the "
            f"largest of {len(self.standings)} ({measured})."
        ]
        if first.chance is None:
            told.append("One seed or picture says nothing about others: train with more seeds.")
        else:
            told.append(
                f"With other seeds and other pictures of the same kind it would come first in "
                f"{first.chance:.0%} of the cases."
            )
        if first.hit_rate is not None:
            told.append(
                f"{first.hit_rate:.0%} of its pictures show what was taught"
                f"{span(first.hit_interval)}."
            )
        told.append(self._others())
        for flag in first.row.flags:
            told.append(f"Mind: {flag.kind}. {flag.text}")
        return tuple(one for one in told if one)

    def _others(self) -> str:
        rivals = (self.first, *self.tied)
        if len(rivals) == 1:
            return "All others are clearly behind it."
        names = ", ".join(one.name for one in self.tied)
        gentle = min(rivals, key=lambda one: one.drift)
        quick = min(rivals, key=lambda one: one.time_ratio or float("inf"))
        more = [f"Not to be told apart from it: {names}."]
        if gentle is not self.first:
            more.append(
                f"Of these {gentle.name} changes other prompts least (drift {gentle.drift:.3f}, "
                f"{self.first.name} {self.first.drift:.3f})."
            )
        if quick is not self.first and quick.time_ratio and self.first.time_ratio:
            more.append(
                f"{quick.name} trains fastest ({quick.time_ratio:.2f} times the reference's time, "
                f"{self.first.name} {self.first.time_ratio:.2f})."
            )
        return " ".join(more)


def span(interval: Interval | None) -> str:
    """Say an interval of gains."""
    if interval is None:
        return ""
    return f" (95 % interval {100 * interval[0]:.1f} to {100 * interval[1]:.1f})"


def recommend(rows: Sequence[Row]) -> Recommendation | None:
    """Compare the rows of one track; None when none of them has figures.

    Args:
        rows: Of one protocol. The seeds that all of them share are used, and controls are left out.
    """
    measured = [row for row in rows if row.status == "ok" and row.scores and not row.control]
    if not measured:
        return None
    shared = set.intersection(*({score.seed for score in row.scores} for row in measured))
    losses = np.stack([losses_of(row, shared) for row in measured])  # (N, seeds, pictures)
    base = base_of(measured[0])  # (pictures,)
    chances = chances_of(losses)
    gains = (base - losses) / base.mean()  # (N, seeds, pictures)
    order = sorted(range(len(measured)), key=lambda n: -float(gains[n].mean()))
    first = order[0]
    standings = tuple(
        Standing(
            row=measured[n],
            gain=float(gains[n].mean()),
            gain_interval=two_way_interval(gains[n]),
            chance=None if chances is None else float(chances[n]),
            is_first=n == first,
            behind=None if n == first else two_way_interval(gains[first] - gains[n]),
            hit_rate=hit_rate(pictures_of(measured[n], shared)),
            hit_interval=hit_interval(pictures_of(measured[n], shared)),
            drift=statistics.fmean(s.own.drift for s in measured[n].scores if s.seed in shared),
            time_ratio=time_ratio_of(measured[n]),
        )
        for n in order
    )
    return Recommendation(standings, losses.shape[1], losses.shape[2])


def pictures_of(row: Row, seeds: set[int]) -> list[PictureFigures]:
    """Return what was judged of a row's pictures of some seeds."""
    return [score.own.pictures for score in row.scores if score.seed in seeds]


def time_ratio_of(row: Row) -> float | None:
    """Return the time of a training as a multiple of the reference's, where it is known."""
    return row.costs.time_ratio if row.costs else None


def losses_of(row: Row, seeds: set[int]) -> npt.NDArray[np.float64]:
    """Return the held-out losses of a row, (seeds, pictures), in the order of the seeds."""
    kept = sorted((score for score in row.scores if score.seed in seeds), key=lambda s: s.seed)
    return np.array([score.own.heldout.pictures for score in kept], dtype=np.float64)


def base_of(row: Row) -> npt.NDArray[np.float64]:
    """Return the base's held-out losses, (pictures,).

    Raises:
        ValueError: The row has none, so it is no row of a run that ended well.
    """
    if row.base is None:
        raise ValueError("a row without the base's figures")
    return np.array(row.base.heldout.pictures, dtype=np.float64)


def chances_of(losses: npt.NDArray[np.float64], seed: int = 0) -> npt.NDArray[np.float64] | None:
    """Return how often each contribution has the lowest loss with other seeds and pictures.

    Both axes are drawn with replacement, each by itself.

    Args:
        losses: (N, seeds, pictures), the same seeds and pictures for all.
        seed: Of the draws.

    Returns:
        (N,) shares that add up to 1; None with one seed or one picture.
    """
    count, seeds, pictures = losses.shape
    if min(seeds, pictures) < 2:
        return None
    generator = np.random.default_rng(seed)
    centre = losses.mean(axis=(1, 2))  # (N,)
    moved = centre + sum(
        moves_of(means, generator) for means in (losses.mean(axis=2), losses.mean(axis=1))
    )  # (DRAWS, N)
    return np.bincount(moved.argmin(axis=1), minlength=count) / DRAWS


def moves_of(
    means: npt.NDArray[np.float64], generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return how far the overall means move with other units of one axis, (DRAWS, N).

    Args:
        means: (N, units), over the other axis.
        generator: Of the draws.
    """
    units = means.shape[1]
    shares = generator.multinomial(units, [1 / units] * units, DRAWS) / units  # (DRAWS, units)
    moves = shares @ (means - means.mean(axis=1, keepdims=True)).T  # (DRAWS, N)
    # A bootstrap of few units is too narrow; and that their spread is itself an estimate makes the
    # tails heavier, as Student's are.
    narrow = (units / (units - 1)) ** 0.5
    heavy = np.sqrt((units - 1) / generator.chisquare(units - 1, (DRAWS, 1)))
    moved: npt.NDArray[np.float64] = narrow * heavy * moves
    return moved


def two_way_interval(values: npt.NDArray[np.float64]) -> Interval | None:
    """Return the 95 % interval of a mean over other seeds and other pictures.

    Student's interval over the seeds and Student's over the pictures, added like lengths at right
    angles: where pictures differ much and seeds little, the number of seeds hardly matters.

    Args:
        values: (seeds, pictures).

    Returns:
        The interval, or None with one seed or one picture.
    """
    if min(values.shape) < 2:
        return None
    means = values.mean(axis=1), values.mean(axis=0)  # (seeds,), (pictures,)
    halves = [
        quantile(0.975, len(one) - 1) * float(one.std(ddof=1)) / len(one) ** 0.5 for one in means
    ]
    centre, half = float(values.mean()), math.hypot(*halves)
    return centre - half, centre + half
