"""How far two orders of the same methods agree, and how sure that is."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Measure = Callable[[Values, Values], float]

DRAWS: Final = 4000
COVERAGE: Final = 0.95


def kendall_tau(first: Values, second: Values) -> float:
    """Return Kendall's tau-b (doi:10.1093/biomet/33.3.239), -1 to 1; 0 when one side is all ties.

    Args:
        first: (methods,) figures.
        second: (methods,) figures of the same methods.
    """
    pairs = np.triu_indices(len(first), 1)
    one, other = (np.sign(side[pairs[0]] - side[pairs[1]]) for side in (first, second))
    scale = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float((one * other).sum() / scale) if scale else 0.0


def spearman_rho(first: Values, second: Values) -> float:
    """Return Spearman's rho, -1 to 1: Pearson's correlation of the ranks, ties in the middle.

    Args:
        first: (methods,) figures.
        second: (methods,) figures of the same methods.
    """
    one, other = (middle_ranks(side) for side in (first, second))
    one, other = one - one.mean(), other - other.mean()
    scale = np.sqrt(np.square(one).sum() * np.square(other).sum())
    return float((one * other).sum() / scale) if scale else 0.0


def middle_ranks(values: Values) -> Values:
    """Return the ranks of (n,) values from 0; equal ones share the middle of theirs."""
    below = (values[:, None] > values[None, :]).sum(1)
    equal = (values[:, None] == values[None, :]).sum(1)
    middle: Values = below + (equal - 1) / 2
    return middle


MEASURES: Final[dict[str, Measure]] = {"kendall_tau": kendall_tau, "spearman_rho": spearman_rho}


def agreement(first: Values, second: Values) -> dict[str, Any]:
    """Return each measure of the mean figures, with two 95 % bootstrap intervals.

    A seed is drawn for all methods of a size at once, for it gives all of them the same pictures
    and noise. `over_seeds` keeps the methods: how sure is the order of these? `over_both` draws
    methods too: how would other methods of the kind fare? A method that is drawn twice ties with
    itself on both sides.

    Args:
        first: (methods, seeds) figures on one base.
        second: (methods, seeds) figures of the same methods on the other.

    Returns:
        Measure -> ``value``, ``over_seeds`` and ``over_both``.
    """
    found = {}
    for name, measure in MEASURES.items():
        value = measure(first.mean(1), second.mean(1))
        intervals = {}
        for axis, draws_methods in (("over_seeds", False), ("over_both", True)):
            generator = np.random.default_rng(0)
            drawn = [
                measure(*resampled(generator, first, second, draws_methods)) for _ in range(DRAWS)
            ]
            tail = (1 - COVERAGE) / 2
            intervals[axis] = [float(edge) for edge in np.quantile(drawn, (tail, 1 - tail))]
        found[name] = {"value": value, **intervals}
    return found


def resampled(
    generator: np.random.Generator, first: Values, second: Values, draws_methods: bool
) -> tuple[Values, Values]:
    """Return mean figures (methods,) of both bases after one draw with replacement."""
    methods = np.arange(len(first))
    if draws_methods:
        methods = generator.integers(len(first), size=len(first))
    one, other = (
        side[methods][:, generator.integers(side.shape[1], size=side.shape[1])].mean(1)
        for side in (first, second)
    )
    return one, other


def one_seed_each(first: Values, second: Values) -> dict[str, float]:
    """Return the mean tau of two orders by one seed each: within a base and across the two.

    No base agrees with itself perfectly from seed to seed. What it does is what two bases can
    reach at most. Seeds of the same number are not paired across bases.

    Args:
        first: (methods, seeds), at least two seeds.
        second: (methods, seeds).
    """
    seeds = range(first.shape[1])
    within = [
        float(
            np.mean(
                [kendall_tau(side[:, i], side[:, j]) for i, j in itertools.combinations(seeds, 2)]
            )
        )
        for side in (first, second)
    ]
    across = [kendall_tau(first[:, i], second[:, j]) for i, j in itertools.permutations(seeds, 2)]
    return {"first": within[0], "second": within[1], "across": float(np.mean(across))}
