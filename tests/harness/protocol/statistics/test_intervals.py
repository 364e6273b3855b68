"""The intervals hold the truth as often as they say, on data whose truth is known."""

import math

import numpy as np
import pytest

from harness.protocol.statistics.intervals import t_interval, two_way_bootstrap
from harness.protocol.statistics.share import share_interval


def test_the_interval_of_known_numbers():
    half = 4.302653 / math.sqrt(3)
    assert t_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - half, 2 + half), abs=1e-5)
    assert t_interval([1.0]) is None


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_it_covers_the_truth_in_95_percent_of_experiments(seeds):
    data = np.random.default_rng(seeds).normal(0.3, 1.0, (4000, seeds))
    intervals = [t_interval(row) for row in data]
    covered = np.mean([low <= 0.3 <= high for low, high in intervals])
    assert covered == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors


@pytest.mark.parametrize(("seed_sd", "picture_sd"), [(1.0, 1.0), (0.2, 1.0), (1.0, 0.2)])
def test_over_seeds_and_pictures_it_covers_the_truth_at_least_as_often(seed_sd, picture_sd):
    rng = np.random.default_rng(7)
    hits = []
    for trial in range(400):
        shape = (5, 8)
        seeds = rng.normal(0, seed_sd, (shape[0], 1))
        pictures = rng.normal(0, picture_sd, (1, shape[1]))
        data = 0.3 + seeds + pictures + rng.normal(0, 0.3, shape)
        low, high = two_way_bootstrap(data, seed=trial)
        hits.append(low <= 0.3 <= high)
    assert np.mean(hits) >= 0.925  # 95 % less 2.3 standard errors; wider than needed is allowed


def test_the_bootstrap_needs_two_of_each_and_repeats_itself():
    data = np.random.default_rng(0).normal(size=(3, 4))
    assert two_way_bootstrap(data) == two_way_bootstrap(data)
    assert two_way_bootstrap(data[:1]) is None
    assert two_way_bootstrap(data[:, :1]) is None


def test_the_interval_of_a_known_share():
    # E. B. Wilson's formula worked out by hand for 8 of 10.
    assert share_interval(8, 10) == pytest.approx((0.49016, 0.94332), abs=1e-5)
    assert share_interval(0, 0) is None


@pytest.mark.parametrize("count", [1, 5, 60])
def test_a_share_of_nothing_or_of_all_is_not_certain(count):
    low, high = share_interval(0, count)
    assert low == pytest.approx(0.0, abs=1e-12)
    assert high == pytest.approx(1 - share_interval(count, count)[0])
    assert 0 < high < 1


@pytest.mark.parametrize("share", [0.05, 0.5, 0.8])
def test_it_covers_a_share_in_about_95_percent_of_experiments(share):
    hits = np.random.default_rng(0).binomial(60, share, 4000)
    intervals = [share_interval(int(number), 60) for number in hits]
    covered = np.mean([low <= share <= high for low, high in intervals])
    assert covered == pytest.approx(0.95, abs=0.03)  # shares of 60 come in steps
