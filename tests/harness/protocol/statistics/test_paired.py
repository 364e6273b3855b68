"""Paired tests: right on small cases by hand, and as often wrong by chance as they say."""

import numpy as np
import pytest

from harness.protocol.statistics.paired import paired_p, permutation_p, t_test_p


def test_by_hand():
    assert permutation_p([1, 2, 3]) == 2 / 8  # only all + and all - are as far out
    assert permutation_p([1, -1]) == 1
    assert permutation_p([]) == 1
    assert t_test_p([1, 2, 3]) == pytest.approx(0.0742, abs=1e-4)
    assert t_test_p([0.5]) == 1
    assert t_test_p([0, 0, 0]) == 1
    assert t_test_p([2, 2, 2]) == 0


def test_few_seeds_are_judged_by_t_and_many_by_permutation():
    five, eight = [1.0, 1.1, 0.9, 1.0, 1.05], [1.0, 1.1, 0.9, 1.0, 1.05, 1.1, 1.0, 0.9]
    assert paired_p(five) == t_test_p(five) < 0.001 < permutation_p(five) == 2 / 32
    assert paired_p(eight) == permutation_p(eight) == 2 / 256


def test_many_seeds_are_sampled_and_never_give_zero():
    p = permutation_p(np.full(20, 1.0))
    assert 0 < p < 0.001


@pytest.mark.parametrize("seeds", [5, 10])
@pytest.mark.parametrize("kind", ["normal", "skewed", "heavy tails"])
def test_equal_methods_are_rarely_called_different(seeds, kind):
    rng = np.random.default_rng(3)
    shape = (1500, seeds)
    data = {
        "normal": lambda: rng.normal(size=shape),
        # A difference of two runs of one method is symmetric, whatever the runs' distribution.
        "skewed": lambda: rng.exponential(size=shape) - rng.exponential(size=shape),
        "heavy tails": lambda: rng.standard_t(3, size=shape),
    }[kind]()
    rejected = np.mean([paired_p(row) < 0.05 for row in data])
    assert rejected <= 0.05 + 0.017  # three standard errors
