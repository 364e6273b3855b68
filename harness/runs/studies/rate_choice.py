"""Which learning rate to try next, which one is the best, and how far one may be off.

Rates are half decades: 1e-4, 3e-4, 1e-3 and so on. A sweep begins with four of them and goes on
beyond an edge until the best lies inside and rates on both sides of it do clearly worse, or until
the budget of trials, which is the same for all, is spent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.runs.sweep_files import Tolerance, Trial
from toolkit.core.errors import UsageError

# Rates by their place on the ladder: 2 * log10, rounded. 1e-6 and 1 are its ends.
LOWEST, HIGHEST = -12, 0
TOLERATED = 0.01  # share of the base's loss: one point of gain


class Budget(NamedTuple):
    """What a sweep may try."""

    start: tuple[float, ...]  # ascending neighbours on the ladder
    most: int  # rates


BUDGET = Budget(start=(3e-4, 1e-3, 3e-3, 1e-2), most=8)


def rate_at(place: int) -> float:
    """Return the rate at a place of the ladder: 1e-3 at -6, 3e-3 at -5."""
    return float(f"{3 if place % 2 else 1}e{place // 2}")


def place_of(rate: float) -> int:
    """Return the place of the ladder that a rate is nearest to."""
    return round(2 * math.log10(rate))


def next_rates(trials: Sequence[Trial], budget: Budget = BUDGET) -> tuple[float, ...]:
    """Return the rates to try next: at first all that a sweep begins with, then one; at last none.

    Beyond the edge that the best lies at, if it does. Else beyond an edge that still does nearly as
    well as the best, so that the range of such rates gets two ends; the better edge first.

    Raises:
        UsageError: The rate has no influence.
    """
    tried = {trial.learning_rate for trial in trials}
    if missing := tuple(rate for rate in budget.start if rate not in tried):
        return missing
    require_influence(trials)
    if len(trials) >= budget.most:
        return ()
    low, high = min(trials, key=by_rate), max(trials, key=by_rate)
    best = best_of(trials)
    if best is None:
        wanted = [low]  # nothing stayed finite: the rates were too high
    elif best in (low, high):
        wanted = [best]
    else:
        found = tolerance(trials)
        wanted = [low] * found.open_below + [high] * found.open_above
        wanted.sort(key=lambda trial: -trial.gain)
    beyond = [place_of(one.learning_rate) + (1 if one is high else -1) for one in wanted]
    inside = [place for place in beyond if LOWEST <= place <= HIGHEST]
    return (rate_at(inside[0]),) if inside else ()


def choose(trials: Sequence[Trial]) -> float:
    """Return the rate with the highest mean gain; of equals the lowest.

    Raises:
        UsageError: No rate trained, or the rate has no influence.
    """
    require_influence(trials)
    best = best_of(trials)
    if best is None:
        faults = "; ".join(f"{trial.learning_rate:g}: {trial.fault}" for trial in trials)
        raise UsageError(f"No learning rate led to a trained adapter: {faults}")
    return best.learning_rate


def best_of(trials: Iterable[Trial]) -> Trial | None:
    """Return the trial with the highest mean gain, or None when all failed."""
    good = [trial for trial in trials if trial.gains]
    return min(good, key=lambda trial: (-trial.gain, trial.learning_rate), default=None)


def require_influence(trials: Sequence[Trial]) -> None:
    """Make sure that the rate changes something.

    Raises:
        UsageError: All rates gave the same gains.
    """
    good = [trial for trial in trials if trial.gains]
    if len(good) > 1 and len({trial.gains for trial in good}) == 1:
        raise UsageError(
            "Every learning rate gave exactly the same loss: this `train` does not read "
            "config.learning_rate, so there is nothing to choose.",
            fix="Read config.learning_rate in `train`, or leave the contribution as it is.",
        )


def bound(trials: Sequence[Trial]) -> str | None:
    """Say why the best of all rates may lie beyond those tried; None: it lies inside."""
    best = choose(trials)
    tried = sorted(trial.learning_rate for trial in trials)
    if best not in (tried[0], tried[-1]):
        return None
    edge, beyond = ("lowest", "lower") if best == tried[0] else ("highest", "higher")
    if place_of(best) in (LOWEST, HIGHEST):
        why = f"and a sweep ends at {best:g}"
    else:
        why = "and the budget of trials is spent"
    place = f"The best of {len(tried)} rates is the {edge}, {best:g}"
    return f"{place}, {why}: a {beyond} one may be better."


def tolerance(trials: Sequence[Trial], tolerated: float = TOLERATED) -> Tolerance:
    """Return the range of rates around the best whose mean gain is at most ``tolerated`` below it.

    Between two tried rates the gain is taken to be linear in the logarithm of the rate. A rate that
    failed ends the range at the last one that trained: nothing is known in between. Where no rate
    is far enough below, the range is open, and at least as wide as what was tried.

    Raises:
        UsageError: No rate trained.
    """
    ordered = sorted(trials, key=by_rate)
    best = choose(ordered)
    place = [trial.learning_rate for trial in ordered].index(best)
    limit = ordered[place].gain - tolerated
    low, open_below = end_of(ordered[place::-1], limit)
    high, open_above = end_of(ordered[place:], limit)
    return Tolerance(low=low, high=high, open_below=open_below, open_above=open_above)


def end_of(outwards: Sequence[Trial], limit: float) -> tuple[float, bool]:
    """Walk from the best rate outwards until the gain falls below a limit.

    Returns:
        The rate there, and whether it was never reached: then the last rate tried.
    """
    inside = outwards[0]
    for trial in outwards[1:]:
        if not trial.gains:
            return inside.learning_rate, False
        if trial.gain < limit:
            share = (inside.gain - limit) / (inside.gain - trial.gain)
            ratio = trial.learning_rate / inside.learning_rate
            return inside.learning_rate * ratio**share, False
        inside = trial
    return inside.learning_rate, True


def by_rate(trial: Trial) -> float:
    """Sort by learning rate."""
    return trial.learning_rate
