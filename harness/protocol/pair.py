"""Compare two rows with each other, paired by seed and by held-out picture."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import numpy as np

from harness.protocol.row import Row
from harness.protocol.statistics.intervals import Interval, t_interval, two_way_bootstrap
from harness.protocol.statistics.paired import paired_p
from harness.protocol.statistics.planning import advice
from harness.protocol.verdict import judge


@dataclass(frozen=True)
class PairVerdict:
    """What the gains of two rows say about each other."""

    difference: float  # of the mean gains, first less second
    interval: Interval | None
    wider_interval: Interval | None
    p: float
    sentence: str


def compare_pair(one: Row, other: Row) -> PairVerdict:
    """Compare the gains of two rows that were measured with the same seeds.

    Raises:
        ValueError: The seeds differ.
    """
    if [s.seed for s in one.scores] != [s.seed for s in other.scores]:
        raise ValueError("the two rows were measured with different seeds")
    differences = [a.gain - b.gain for a, b in zip(one.scores, other.scores, strict=True)]
    interval = t_interval(differences)
    own, theirs = (
        np.array([score.own.heldout.pictures for score in row.scores]) for row in (one, other)
    )
    base = one.base.heldout.mean if one.base else 1.0
    p = paired_p(differences)
    mean = statistics.fmean(differences)
    return PairVerdict(
        mean,
        interval,
        two_way_bootstrap((theirs - own) / base),
        p,
        sentence(one.contribution, other.contribution, differences, p),
    )


def sentence(one: str, other: str, differences: list[float], p: float) -> str:
    """Say in words and numbers what a paired difference of gains amounts to."""
    mean, interval = statistics.fmean(differences), t_interval(differences)
    facts = f"The gain of {one} is {abs(100 * mean):.2f} points "
    facts += f"{'above' if mean >= 0 else 'below'} that of {other}"
    if not any(differences):
        return f"{one} and {other} have exactly the same gains."
    if interval is None:
        return f"{facts}. {advice(differences)}"
    low, high = (100 * bound for bound in interval)
    numbers = (
        f"{facts} (95 % interval {low:+.2f} to {high:+.2f}, {len(differences)} seeds, p = {p:.2g})"
    )
    outcome = judge(interval)
    if outcome == "no clear difference":
        return f"{numbers}: no clear difference. {advice(differences)}"
    return f"{numbers}: clearly {outcome}."
