"""Plans: the detectable difference is found as often as it says; advice and stopping in words."""

import numpy as np
import pytest

from harness.protocol.statistics.intervals import t_interval
from harness.protocol.statistics.planning import (
    advice,
    clearly_loses,
    minimum_detectable_difference,
    seeds_needed,
)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_detectable_difference_is_found_in_about_80_percent_of_experiments(seeds):
    size = minimum_detectable_difference(1.0, seeds)
    data = np.random.default_rng(seeds).normal(size, 1.0, (1500, seeds))
    found = np.mean([t_interval(row)[0] > 0 for row in data])
    assert found == pytest.approx(0.8, abs=0.06)


def test_one_seed_detects_nothing():
    with pytest.raises(ValueError, match="one seed"):
        minimum_detectable_difference(1.0, 1)
    assert seeds_needed([0.3]) is None
    assert "One seed cannot tell" in advice([0.3])


def test_the_advice_grows_with_the_doubt():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, 5)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    assert seeds_needed(noise + 10) == 5
    assert "A seed or two" in advice(noise + 10)
    assert "run 6 more seeds" in advice(noise + 0.95)
    assert "Even 20 seeds" in advice(noise + 0.01)


def test_only_a_clear_loser_is_stopped():
    assert clearly_loses([-1.0, -1.1, -0.9])
    assert not clearly_loses([-1.0, -0.2, -0.6])
    assert not clearly_loses([1.0, 1.1, 0.9])
    assert not clearly_loses([-1.0])


def test_equals_are_hardly_ever_stopped():
    data = np.random.default_rng(1).normal(0, 1, (2000, 3))
    assert np.mean([clearly_loses(row) for row in data]) <= 0.005 + 0.005
