"""How much a number of seeds can show, how many more are worth running, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.protocol.statistics.intervals import t_interval
from harness.protocol.statistics.student import quantile

POWER = 0.8
MOST_SEEDS = 20

# A loser is sent home early only at this confidence: a look before the end must not cost the
# verdict its 5 %.
STOPPING_COVERAGE = 0.99


def minimum_detectable_difference(deviation: float, seeds: int, power: float = POWER) -> float:
    """Return the smallest true difference that a 95 % interval leaves zero out of, mostly.

    Args:
        deviation: Standard deviation of the paired difference over seeds.
        seeds: How many there are, at least 2.
        power: Share of experiments in which it is found.

    Returns:
        The difference, in the unit of ``deviation``; the usual t approximation, within about 10 %.
    """
    if seeds < 2:
        raise ValueError("one seed has no deviation and detects nothing")
    freedom = seeds - 1
    reach = quantile(0.975, freedom) + quantile(power, freedom)
    return reach * deviation / math.sqrt(seeds)


def seeds_needed(differences: Sequence[float]) -> int | None:
    """Return how many seeds would probably make this mean difference clear; None: more than 20.

    It takes the mean and deviation found so far for true, so it is a plan and no promise.
    """
    if len(differences) < 2:
        return None
    size = abs(float(np.mean(differences)))
    deviation = float(np.std(differences, ddof=1))
    for seeds in range(max(2, len(differences)), MOST_SEEDS + 1):
        if minimum_detectable_difference(deviation, seeds) <= size:
            return seeds
    return None


def advice(differences: Sequence[float]) -> str:
    """Say what to do about a difference that is not clear."""
    count = len(differences)
    if count < 2:
        return "One seed cannot tell a difference from luck: run more."
    wanted = seeds_needed(differences)
    if wanted is None:
        return f"Even {MOST_SEEDS} seeds would probably not tell them apart."
    more = wanted - count
    if more <= 0:
        return "A seed or two more may decide it."
    return f"Not enough evidence: run {more} more seed{'s' if more > 1 else ''}."


def clearly_loses(differences: Sequence[float]) -> bool:
    """Tell whether further seeds could be saved: the whole 99 % interval lies below zero."""
    interval = t_interval(differences, STOPPING_COVERAGE)
    return interval is not None and interval[1] < 0
