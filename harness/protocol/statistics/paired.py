"""Paired tests of "these two are the same"."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from harness.protocol.statistics.student import two_sided_p

# Sign flips of so many seeds are all tried (65,536); of more, a sample of them.
EXACT_SEEDS = 16
SAMPLED_FLIPS = 20_000

# With n seeds the smallest p of a permutation test is 2 / 2^n: five seeds can never reach 0.05.
# From eight on (0.008) it can decide; below, Student's t does, which pays for its power by assuming
# differences that are roughly normal.
PERMUTATION_FROM_SEEDS = 8


def permutation_p(differences: Sequence[float]) -> float:
    """Return the two-sided p of the paired permutation test.

    If two methods are the same, it is chance which of the two got which of a seed's figures: every
    pattern of signs of the differences was equally likely. p is the share of patterns whose mean
    is at least as far from zero as the one found. It assumes nothing about the distribution.
    """
    array = np.asarray(differences, dtype=np.float64)
    count = len(array)
    if count == 0:
        return 1.0
    if count <= EXACT_SEEDS:
        flips = np.array(list(itertools.product((1.0, -1.0), repeat=count)))
    else:
        flips = np.random.default_rng(0).choice((1.0, -1.0), (SAMPLED_FLIPS, count))
        flips[0] = 1.0  # the pattern found belongs to the sample, or p could be 0
    means = np.abs(flips @ array)
    # Sums in another order differ in the last bits; those patterns count as equal.
    return float((means >= abs(array.sum()) * (1 - 1e-9) - 1e-15).mean())


def t_test_p(differences: Sequence[float]) -> float:
    """Return the two-sided p of the paired t test; 1 with fewer than two seeds."""
    array = np.asarray(differences, dtype=np.float64)
    if len(array) < 2 or not array.any():
        return 1.0
    error = float(array.std(ddof=1)) / len(array) ** 0.5
    t = float(array.mean()) / error if error else float("inf")
    return two_sided_p(t, len(array) - 1)


def paired_p(differences: Sequence[float]) -> float:
    """Return p by the permutation test where it can decide, else by Student's t."""
    if len(differences) >= PERMUTATION_FROM_SEEDS:
        return permutation_p(differences)
    return t_test_p(differences)
