"""All rows of a table at once: which pairs differ, the intervals that go with it, and the groups.

One rule: two rows differ when the gap of their means is larger than chance brings to any pair of
the table, in 95 of 100 tables. Groups, intervals and verdicts of a board all follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.protocol.statistics.intervals import Interval
from harness.protocol.statistics.shared_noise import Figures, shared_noise
from harness.protocol.statistics.student import quantile

ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """M methods, compared pair by pair.

    Args:
        names: The best mean first; equal means by name.
        figures: (M, S), one figure per seed, higher is better.
        errors: (M, M), the standard error of each difference of means.
        reach: How many errors a difference has to exceed.
        different: (M, M), which pairs differ.
    """

    names: tuple[str, ...]
    figures: Figures
    errors: Figures
    reach: float
    different: NDArray[np.bool_]

    def groups(self) -> list[list[str]]:
        """Part the names, best first: a group ends before the first that is below one of its own.

        "Not clearly different" does not make two members of a group equal to each other: a group
        is a tie, not a claim that its members are the same.
        """
        groups: list[list[int]] = []
        for place in range(len(self.names)):
            if not groups or self.different[place, groups[-1]].any():
                groups.append([])
            groups[-1].append(place)
        return [[self.names[place] for place in group] for group in groups]

    def interval(self, name: str, other: str) -> Interval | None:
        """Return the interval of a name's mean less another's; None with a single seed.

        All intervals of a table hold at once in 95 of 100 tables. One that leaves zero out belongs
        to two that differ, and of two that do not overlap, the names differ.
        """
        one, two = self.names.index(name), self.names.index(other)
        if self.figures.shape[1] < 2:
            return None
        middle = float(self.figures[one].mean() - self.figures[two].mean())
        if np.array_equal(self.figures[one], self.figures[two]):
            return 0.0, 0.0  # the same training: there is no noise between them
        half = self.reach * float(self.errors[one, two])
        return middle - half, middle + half


def compare_all(figures: Mapping[str, Sequence[float]], alpha: float = ALPHA) -> Comparison:
    """Compare all pairs, corrected by Holm over all of them.

    A pair's statistic is the difference of means over its error, from ``shared_noise``. With two
    methods that is the paired t test. Holm's correction is done in rounds, which is the same: who
    is rejected among m pairs at alpha / m leaves a smaller m for the others.

    Args:
        figures: Name -> one figure per seed, higher is better; the same seeds for all.
        alpha: Chance of any false difference.

    Raises:
        ValueError: The names have different numbers of seeds.
    """
    if len({len(values) for values in figures.values()}) > 1:
        raise ValueError("groups need the same seeds for every name")
    names = tuple(sorted(figures, key=lambda name: (-float(np.mean(figures[name])), name)))
    table = np.array([figures[name] for name in names], dtype=np.float64, ndmin=2)
    methods, seeds = len(names), table.shape[1]
    different = np.zeros((methods, methods), dtype=bool)
    if methods < 2 or seeds < 2:
        return Comparison(names, table, np.zeros((methods, methods)), 0.0, different)
    noise, means = shared_noise(table), table.mean(axis=1)
    gaps = np.abs(means[:, None] - means[None])  # (M, M)
    errors = np.sqrt((noise.variances[:, None] + noise.variances[None]) / seeds)
    reach = 0.0
    while pairs := (different.size - int(different.sum()) - methods) // 2:
        reach = quantile(1 - alpha / (2 * pairs), noise.freedom)
        found = gaps > reach * errors
        if (found == different).all():
            break
        different = found
    return Comparison(names, table, errors, reach, different)
