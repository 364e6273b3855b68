"""The verdict: intervals that hold what they promise, and sentences that say what they mean."""

import math
import random
import statistics

import pytest

from harness.comparison import T_975, compare, t_interval
from harness.records import Loss, SeedScores

LOSS = Loss(mean=0.5, bands=(0.5, 0.5, 0.5))


def scores(pairs):
    return [
        SeedScores(
            seed=seed,
            heldout=LOSS,
            reference=LOSS,
            gain=own,
            reference_gain=reference,
            merge_error=0.0,
            train_seconds=1.0,
        )
        for seed, (own, reference) in enumerate(pairs)
    ]


def test_the_interval_of_known_numbers():
    low, high = t_interval([1.0, 2.0, 3.0])
    half = 4.303 * 1.0 / math.sqrt(3)
    assert (low, high) == pytest.approx((2 - half, 2 + half))
    assert t_interval([1.0]) is None


def test_the_table_of_students_t_is_right():
    # The 97.5 % point by integrating the density numerically.
    for freedom in (1, 2, 5, 30):
        constant = math.gamma((freedom + 1) / 2) / (
            math.sqrt(freedom * math.pi) * math.gamma(freedom / 2)
        )
        steps = 20000
        width = T_975[freedom - 1] / steps
        area = sum(
            constant * (1 + ((i + 0.5) * width) ** 2 / freedom) ** (-(freedom + 1) / 2) * width
            for i in range(steps)
        )
        assert area == pytest.approx(0.475, abs=2e-4)


def test_beyond_the_table_the_quantile_goes_on_smoothly():
    values = [0.0, 2.0] * 16  # 31 degrees of freedom: 2.0395
    low, high = t_interval(values)
    deviation = statistics.stdev(values) / math.sqrt(32)
    assert (high - low) / 2 / deviation == pytest.approx(2.0395, abs=0.005)


def test_the_interval_covers_the_truth_in_95_percent_of_experiments():
    rng = random.Random(1)
    trials = 4000
    covered = sum(
        low <= 0.3 <= high
        for low, high in (
            t_interval([rng.gauss(0.3, 1.0) for _ in range(3)]) for _ in range(trials)
        )
    )
    assert covered / trials == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("pairs", "outcome"),
    [
        ([(0.30, 0.20), (0.31, 0.205), (0.29, 0.195)], "better"),
        ([(0.10, 0.20), (0.11, 0.205), (0.09, 0.195)], "worse"),
        ([(0.30, 0.20), (0.10, 0.20), (0.21, 0.20)], "no clear difference"),
        ([(0.90, 0.20)], "no clear difference"),
        ([(0.2, 0.2)] * 3, "no clear difference"),
    ],
)
def test_a_difference_is_clear_only_when_its_interval_leaves_zero_out(pairs, outcome):
    verdict = compare("Foo", scores(pairs))
    assert verdict.outcome == outcome
    assert "Foo" in verdict.sentence


def test_pairing_by_seed_takes_out_what_seeds_have_in_common():
    # The seeds differ by far more than the two methods do; paired, the difference is clear.
    pairs = [(0.1 * k + 0.02, 0.1 * k + offset) for k, offset in ((1, 0), (3, 0.001), (5, -0.001))]
    assert compare("Foo", scores(pairs)).outcome == "better"


def test_one_seed_cannot_tell_and_says_so():
    assert "One seed cannot tell" in compare("Foo", scores([(0.9, 0.1)])).sentence


def test_a_contribution_that_makes_it_worse_is_told_so():
    sentence = compare("Foo", scores([(-0.1, 0.2)] * 2 + [(-0.11, 0.2)])).sentence
    assert "Foo raises the held-out loss by 10.3% of the base's" in sentence
    assert "the reference lowers it by 20.0%" in sentence


def test_the_reference_is_not_compared_with_itself():
    verdict = compare("reference", scores([(0.2, 0.2)]), is_reference=True)
    assert verdict.outcome == "is the reference"
    assert verdict.interval is None
