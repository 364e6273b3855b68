"""Tiers: what chance explains beats nothing, and the same training stands in the same tier."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol.statistics.tiers import Burden, clearly_higher, tiers_of

SEEDS = range(5)


def around(mean, spread=0.002):
    return {seed: mean + spread * (seed - 2) for seed in SEEDS}


def burden(gain=0.3, drift=0.05, cost=(0.99, 1.01), size=1000):
    drifts = drift if isinstance(drift, dict) else around(drift)
    return Burden(gain if isinstance(gain, dict) else around(gain), drifts, cost, size)


def test_one_that_is_clearly_better_in_one_thing_and_worse_in_none_stands_above():
    tiers = tiers_of(
        {
            "Plain": burden(),
            "Gains": burden(gain=around(0.4, 0.003)),
            "Drifts": burden(drift=around(0.09, 0.003)),
            "Dear": burden(cost=(1.4, 1.6)),
            "Large": burden(size=4000),
        }
    )
    assert tiers == {"Gains": 1, "Plain": 2, "Drifts": 2, "Dear": 2, "Large": 2}


def test_what_chance_explains_beats_nothing():
    rng = np.random.default_rng(3)
    noisy = {f"Copy{i}": burden(gain=dict(enumerate(rng.normal(0.3, 0.01, 5)))) for i in range(6)}
    costs = [(0.8, 1.1), (0.9, 1.25), (0.95, 1.0), (1.0, 1.3), (0.7, 1.0), (0.99, 1.2)]
    noisy = {
        n: Burden(b.gains, b.drifts, c, 1000 + i)
        for i, ((n, b), c) in enumerate(zip(noisy.items(), costs, strict=True))
    }
    assert set(tiers_of(noisy).values()) == {1}


def test_the_same_training_stands_in_the_same_tier_whatever_the_clock_said():
    rows = {
        "reference": burden(),
        "Same": burden(cost=None),
        "SameToo": burden(cost=(0.9, 1.3)),
        "Better": burden(gain=around(0.4, 0.003)),
    }
    tiers = tiers_of(rows)
    assert tiers["reference"] == tiers["Same"] == tiers["SameToo"] == 2


def test_where_each_beats_the_next_all_are_in_the_first_tier():
    same = {"gains": around(0.3), "drifts": around(0.05)}
    ring = {
        "A": Burden(**same, cost=(0.55, 0.75), size=1000),
        "B": Burden(**same, cost=(0.70, 0.90), size=970),  # beats A by its size
        "C": Burden(**same, cost=(0.50, 0.60), size=985),  # beats B by its cost
        "D": Burden(**same, cost=(0.80, 0.95), size=930),  # and A and C by their sizes
    }
    assert tiers_of({name: ring[name] for name in "AB"}) == {"A": 2, "B": 1}
    assert tiers_of({name: ring[name] for name in "BC"}) == {"B": 2, "C": 1}
    assert set(tiers_of(ring).values()) <= {1, 2}


def test_the_highest_gain_and_the_lowest_drift_are_in_the_first_tier():
    tiers = tiers_of(
        {
            "Gains": burden(gain=0.401, size=9000, cost=(2.0, 2.2)),
            "Keeps": burden(drift=0.019, size=9000, cost=(2.0, 2.2)),
            "Small": burden(size=10),
            "Plain": burden(),
        }
    )
    assert tiers == {"Gains": 1, "Keeps": 1, "Small": 1, "Plain": 2}


def test_a_row_over_other_seeds_is_compared_by_the_seeds_that_both_have():
    few = {seed: value for seed, value in around(0.4, 0.003).items() if seed < 3}
    assert clearly_higher({"A": around(0.3), "B": around(0.2, 0.003), "Few": few}) == {
        ("A", "B"),
        ("Few", "A"),
        ("Few", "B"),
    }
    assert clearly_higher({"A": around(0.3), "One": {0: 0.9}}) == set()
    assert tiers_of({}) == {}


noise = st.lists(st.floats(0, 1, width=16), min_size=5, max_size=5)


@given(
    st.dictionaries(
        st.text("ABCDEFG", min_size=1, max_size=3),
        st.tuples(noise, noise, st.integers(1, 5), st.booleans()),
        max_size=7,
    )
)
def test_every_row_has_a_tier_and_some_row_is_in_the_first(rows):
    burdens = {
        name: Burden(
            dict(enumerate(gains)),
            dict(enumerate(drifts)),
            (cost - 0.1, cost + 0.1) if known else None,
            1000 * cost,
        )
        for name, (gains, drifts, cost, known) in rows.items()
    }
    tiers = tiers_of(burdens)
    assert set(tiers) == set(burdens)
    assert set(tiers.values()) <= {1, 2}
    assert 1 in tiers.values() or not tiers
    twins = tiers_of(burdens | {f"{name}'": one for name, one in burdens.items()})
    assert all(twins[name] == twins[f"{name}'"] for name in burdens)
