"""Pareto tiers that know the noise: what chance explains beats nothing."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.protocol.statistics.groups import ALPHA, compare_all
from harness.protocol.statistics.intervals import Interval
from harness.protocol.statistics.paired import t_test_p

SAME_SIZE = 0.02  # relative difference of two files that is none: names and metadata

Pairs = set[tuple[str, str]]  # (one, other): one is clearly better
BySeed = Mapping[int, float]


@dataclass(frozen=True)
class Burden:
    """What a tier weighs of one row.

    Args:
        gains: Seed -> gain; higher is better.
        drifts: Seed -> drift; lower is better.
        cost: 95 % interval of the cost, as a multiple of the reference's; lower is better. None
            where it was not measured by processor time, and then it decides nothing.
        size: Bytes of the adapter; lower is better.
    """

    gains: BySeed
    drifts: BySeed
    cost: Interval | None = None
    size: int | None = None


def tiers_of(burdens: Mapping[str, Burden]) -> dict[str, int]:
    """Return each name's tier: 1 if no other beats it, 2 if one does.

    What beats another is nowhere worse and somewhere clearly better. Nowhere worse: by the means
    of gain and drift, and not clearly in cost and size. "Not clearly worse" is no order: of three
    that train alike, each might beat the next. So there are no further tiers, and where every name
    is beaten, all are in tier 1.
    """
    better = [
        clearly_higher({name: one.gains for name, one in burdens.items()}),
        clearly_higher(
            {name: {s: -d for s, d in one.drifts.items()} for name, one in burdens.items()}
        ),
        pairs(burdens, cheaper),
        pairs(burdens, smaller),
    ]

    gains = {name: mean(one.gains) for name, one in burdens.items()}
    drifts = {name: mean(one.drifts) for name, one in burdens.items()}

    def beats(one: str, other: str) -> bool:
        worse = gains[one] < gains[other] or drifts[one] > drifts[other]
        clearly = any((one, other) in p for p in better)
        return clearly and not worse and not any((other, one) in p for p in better)

    beaten = {name for name in burdens if any(beats(other, name) for other in burdens)}
    return {name: 2 if name in beaten and len(beaten) < len(burdens) else 1 for name in burdens}


def mean(values: BySeed) -> float:
    """Return the mean over seeds; of none, not a number, which is neither better nor worse."""
    return statistics.fmean(values.values()) if values else float("nan")


def pairs(burdens: Mapping[str, Burden], is_better: Callable[[Burden, Burden], bool]) -> Pairs:
    """Return all pairs of which the first is the better one."""
    return {
        (a, b) for a, one in burdens.items() for b, two in burdens.items() if is_better(one, two)
    }


def cheaper(one: Burden, other: Burden) -> bool:
    """Tell whether the intervals of two costs lie apart."""
    return one.cost is not None and other.cost is not None and one.cost[1] < other.cost[0]


def smaller(one: Burden, other: Burden) -> bool:
    """Tell whether a file is smaller by more than its metadata may be."""
    if one.size is None or other.size is None:
        return False
    return one.size < other.size * (1 - SAME_SIZE)


def clearly_higher(figures: Mapping[str, BySeed]) -> Pairs:
    """Return the pairs of which the first has clearly the higher figures.

    Rows over the seeds that most have are compared all at once, as the board does; a row over
    others with each by the seeds that both have.
    """
    seeds_of = {name: tuple(sorted(values)) for name, values in figures.items()}
    counts = Counter(seeds_of.values())
    common = max(counts, key=lambda seeds: (counts[seeds], seeds), default=())
    alike = [name for name, seeds in seeds_of.items() if seeds == common and seeds]
    table = compare_all({name: [figures[name][seed] for seed in common] for name in alike})
    found = {
        (one, other)
        for i, one in enumerate(table.names)
        for j, other in enumerate(table.names)
        if i < j and table.different[i, j]  # the names stand in order of their means
    }
    for one in figures:
        for other in figures:
            if one != other and not {one, other} <= {*alike}:
                shared = sorted(figures[one].keys() & figures[other].keys())
                apart = [figures[one][seed] - figures[other][seed] for seed in shared]
                if len(apart) > 1 and sum(apart) > 0 and t_test_p(apart) < ALPHA:
                    found.add((one, other))
    return found
