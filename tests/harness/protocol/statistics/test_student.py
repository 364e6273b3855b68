"""Student's t against an integral of its density, and against the printed tables."""

import math

import numpy as np
import pytest

from harness.protocol.statistics.student import incomplete_beta, quantile, two_sided_p


@pytest.mark.parametrize("freedom", [1, 2, 5, 30, 400])
@pytest.mark.parametrize("t", [0.1, 1.0, 2.5, 8.0])
def test_p_is_the_area_of_both_tails(freedom, t):
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(
        freedom * math.pi
    )
    x = (np.arange(200_000) + 0.5) * t / 200_000
    inside = (constant * (1 + x * x / freedom) ** (-(freedom + 1) / 2)).mean() * 2 * t
    assert two_sided_p(t, freedom) == pytest.approx(1 - inside, abs=1e-8)


def test_the_quantiles_are_those_of_the_printed_table():
    table = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 10: 2.228, 30: 2.042, 120: 1.980}
    for freedom, wanted in table.items():
        assert quantile(0.975, freedom) == pytest.approx(wanted, abs=6e-4)
    assert quantile(0.5, 3) == pytest.approx(0, abs=1e-9)


def test_the_ends():
    assert two_sided_p(0, 4) == 1
    assert two_sided_p(math.inf, 4) == 0
    assert incomplete_beta(2, 3, 0) == 0
    assert incomplete_beta(2, 3, 1) == 1
    with pytest.raises(ValueError, match="probability"):
        quantile(0.2, 3)
