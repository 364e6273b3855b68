"""Groups without a clear difference, and Pareto tiers: the order of the board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.protocol.statistics.shared_noise import Figures, shared_noise
from harness.protocol.statistics.student import quantile

ALPHA = 0.05


def tie_groups(figures: Mapping[str, Sequence[float]], alpha: float = ALPHA) -> list[list[str]]:
    """Sort names into groups within which nothing is clearly better than the group's best.

    The rule: compare all pairs and correct by Holm over all of them. The best mean leads the first
    group; every name that is not clearly different from the leader belongs to its group. The best
    of the remaining names leads the next group, and so on. The chance that two equal methods are
    declared different anywhere on the board is at most alpha.

    "Not different from the leader" does not make two members of a group equal to each other; a
    group is a tie, not a claim that its members are the same.

    Args:
        figures: Name -> one figure per seed, higher is better; the same seeds for all.
        alpha: Chance of any false difference.

    Returns:
        Groups of names, the best first; inside a group by mean, then by name.

    Raises:
        ValueError: The names have different numbers of seeds.
    """
    if len({len(values) for values in figures.values()}) > 1:
        raise ValueError("tie groups need the same seeds for every name")
    names = sorted(figures, key=lambda name: (-float(np.mean(figures[name])), name))
    if len(names) < 2 or len(figures[names[0]]) < 2:
        return [names] if names else []
    different = clearly_different(np.array([figures[name] for name in names]), alpha)  # (M, M)
    groups, waiting = [], np.arange(len(names))
    while len(waiting):
        apart = different[waiting[0], waiting]
        groups.append([names[index] for index in waiting[~apart]])
        waiting = waiting[apart]
    return groups


def clearly_different(figures: Figures, alpha: float = ALPHA) -> NDArray[np.bool_]:
    """Tell for each pair of M methods whether they differ; any false one has the chance alpha.

    A pair's statistic is the difference of means over its error, from ``shared_noise``. With two
    methods that is the paired t test. Holm's correction is done in rounds, which is the same: who
    is rejected among m pairs at alpha / m leaves a smaller m for the others.

    Args:
        figures: (M, S), at least two of each.
        alpha: Chance of any false difference.
    """
    methods, seeds = figures.shape
    noise, means = shared_noise(figures), figures.mean(axis=1)
    gaps = np.abs(means[:, None] - means[None])  # (M, M)
    errors = np.sqrt((noise.variances[:, None] + noise.variances[None]) / seeds)
    different = np.zeros((methods, methods), dtype=bool)
    while True:
        pairs = (different.size - int(different.sum()) - methods) // 2
        if pairs == 0:
            break
        found = gaps > quantile(1 - alpha / (2 * pairs), noise.freedom) * errors
        if (found == different).all():
            break
        different = found
    return different


def pareto_tiers(costs: Mapping[str, Sequence[float]]) -> dict[str, int]:
    """Return each name's tier: 1 if no other is at least as good in everything and better in one.

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
