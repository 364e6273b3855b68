"""The shared noise: special functions against mpmath's, and what is known of made-up boards."""

import mpmath
import numpy as np
import pytest

from harness.protocol.statistics.shared_noise import (
    digamma,
    inverse_trigamma,
    shared_noise,
    trigamma,
)


@pytest.mark.parametrize("x", [0.01, 0.5, 1.0, 2.0, 3.7, 9.99, 10.0, 250.0])
def test_the_special_functions_are_mpmaths(x):
    assert digamma(x) == pytest.approx(float(mpmath.digamma(x)), rel=1e-9, abs=1e-9)
    assert trigamma(x) == pytest.approx(float(mpmath.polygamma(1, x)), rel=1e-9)
    assert inverse_trigamma(trigamma(x)) == pytest.approx(x, rel=1e-6)


def test_methods_that_scatter_alike_share_all_they_know():
    rng = np.random.default_rng(0)
    freedoms, means = [], []
    for _ in range(200):
        noise = shared_noise(rng.normal(0, 0.3, (40, 5)) + rng.normal(size=(1, 5)))
        freedoms.append(noise.freedom)
        means.append(noise.variances.mean())
    assert np.median(freedoms) > 20  # alone each would have 4
    # At least its own spread for everybody: a little above 0.09, never below.
    assert 0.09 <= np.mean(means) < 0.13


def test_methods_that_have_nothing_in_common_are_left_alone():
    rng = np.random.default_rng(1)
    spreads = np.geomspace(0.01, 10.0, 41)
    noise = shared_noise(spreads[:, None] * rng.normal(size=(41, 5)))
    assert noise.freedom < 6
    assert noise.variances[spreads > 2].min() > 100 * noise.variances[spreads < 0.05].max()


def test_a_wild_method_keeps_its_spread():
    rng = np.random.default_rng(2)
    figures = rng.normal(0, 0.1, (20, 5))
    figures[7] = [-3.0, 3.0, -3.0, 3.0, 0.0]
    noise = shared_noise(figures)
    assert noise.variances[7] > 8.0
    assert np.delete(noise.variances, 7).max() < 0.1


def test_what_a_seed_does_to_everybody_is_no_noise():
    rng = np.random.default_rng(3)
    figures = rng.normal(0, 0.1, (10, 5))
    shifted = figures + 100.0 * rng.normal(size=(1, 5))
    assert shared_noise(shifted).variances == pytest.approx(shared_noise(figures).variances)
