"""Ranks that do not pretend: tie groups, Pareto tiers, and the order of the board."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from harness.statistics.paired import holm, paired_p

ALPHA = 0.05


def tie_groups(figures: Mapping[str, Sequence[float]], alpha: float = ALPHA) -> list[list[str]]:
    """Sort names into groups within which nothing is clearly better than the group's best.

    The rule: compare all pairs, paired by seed, and correct by Holm over all of them. The best mean
    leads the first group; every name that is not clearly different from the leader belongs to its
    group. The best of the remaining names leads the next group, and so on. The chance that two
    equal methods are declared different anywhere on the board is at most alpha.

    "Not different from the leader" does not make two members of a group equal to each other; a
    group is what shares a rank, not a claim that its members are the same.

    Args:
        figures: Name -> one figure per seed, higher is better; the same seeds for everybody.
        alpha: Chance of any false difference.

    Returns:
        Groups of names, the best first; inside a group by mean, then by name.

    Raises:
        ValueError: The names have different numbers of seeds.
    """
    if len({len(values) for values in figures.values()}) > 1:
        raise ValueError("tie groups need the same seeds for every name")
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    waiting = sorted(figures, key=lambda name: (-means[name], name))
    pairs = list(itertools.combinations(waiting, 2))
    raw = [
        paired_p([a - b for a, b in zip(figures[one], figures[other], strict=True)])
        for one, other in pairs
    ]
    different = {
        pair: p < alpha for pair, p in zip(pairs, holm(raw), strict=True)
    }  # pairs are ordered as `waiting` is: the better mean first
    groups = []
    while waiting:
        leader, *rest = waiting
        group = [leader, *(name for name in rest if not different[leader, name])]
        groups.append(group)
        waiting = [name for name in rest if different[leader, name]]
    return groups


def pareto_tiers(costs: Mapping[str, Sequence[float]]) -> dict[str, int]:
    """Return each name's tier: 1 when nobody is at least as good in everything and better in one.

    Tier 2 is what would be in tier 1 if tier 1 were not there, and so on.

    Args:
        costs: Name -> figures of which *lower* is better, such as loss, drift, seconds, bytes.
    """
    tiers: dict[str, int] = {}
    left, tier = dict(costs), 0
    while left:
        tier += 1
        front = [
            name
            for name, own in left.items()
            if not any(dominates(other, own) for other in left.values())
        ]
        tiers |= dict.fromkeys(front, tier)
        left = {name: own for name, own in left.items() if name not in tiers}
    return tiers


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Tell whether ``one`` is nowhere worse (higher) than ``other`` and somewhere better."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
