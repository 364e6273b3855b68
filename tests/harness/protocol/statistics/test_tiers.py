"""Tiers: what chance explains is equal, and the same training stands in the same tier."""

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


def test_what_chance_explains_is_equal():
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
    gains = {
        "A": dict(enumerate((0.328, 0.310, 0.322, 0.318, 0.318))),
        "B": dict(enumerate((0.309, 0.302, 0.309, 0.307, 0.323))),
        "C": dict(enumerate((0.301, 0.299, 0.299, 0.297, 0.296))),
    }
    assert clearly_higher(gains) == {("A", "C")}
    drift = dict.fromkeys(SEEDS, 0.05)
    ring = {
        "A": Burden(gains["A"], drift, (0.55, 0.75), 1000),
        "B": Burden(gains["B"], drift, (0.70, 0.90), 970),  # beats A by its size
        "C": Burden(gains["C"], drift, (0.50, 0.60), 985),  # beats B by its cost
    }
    assert tiers_of(ring) == {"A": 1, "B": 1, "C": 1}


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
