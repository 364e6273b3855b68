"""Tie groups and tiers: known answers, and the family-wise error by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.ranks import dominates, pareto_tiers, tie_groups


def test_clear_gaps_make_groups_and_noise_does_not():
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 1, 5)  # what all methods share: pairing takes it out
    figures = {
        name: list(mean + seeds + rng.normal(0, 0.01, 5))
        for name, mean in {"Good": 1.0, "AsGood": 1.0, "Middle": 0.5, "Bad": 0.0}.items()
    }
    best, middle, bad = tie_groups(figures)
    assert set(best) == {"Good", "AsGood"}
    assert (middle, bad) == (["Middle"], ["Bad"])


@pytest.mark.parametrize("seeds", [5, 10])
def test_a_board_of_equals_is_one_group_in_95_percent_of_boards(seeds):
    rng = np.random.default_rng(11)
    boards = 300
    split = 0
    for _ in range(boards):
        shared = rng.normal(0, 1, seeds)
        figures = {f"M{k}": list(shared + rng.normal(0, 0.2, seeds)) for k in range(5)}
        split += len(tie_groups(figures)) > 1
    assert split / boards <= 0.05 + 0.038  # three standard errors


def test_equals_inside_a_board_with_others_are_seldom_split():
    rng = np.random.default_rng(12)
    boards, split = 300, 0
    for _ in range(boards):
        figures = {f"Equal{k}": list(rng.normal(0, 0.2, 5)) for k in range(3)}
        figures["Winner"] = list(rng.normal(3, 0.2, 5))
        groups = tie_groups(figures)
        split += len([g for g in groups if any(n.startswith("Equal") for n in g)]) > 1
    assert split / boards <= 0.05 + 0.038


def test_the_groups_do_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(5)
    figures = {f"M{k}": list(rng.normal(k, 0.5, 5)) for k in range(5)}
    assert tie_groups(figures) == tie_groups(dict(reversed(figures.items())))


def test_different_numbers_of_seeds_are_refused():
    with pytest.raises(ValueError, match="same seeds"):
        tie_groups({"A": [1.0, 2.0], "B": [1.0]})


def test_tiers_by_hand():
    costs = {"Cheap": (3, 1), "Good": (1, 3), "Worse": (2, 4), "Worst": (4, 5)}
    assert pareto_tiers(costs) == {"Cheap": 1, "Good": 1, "Worse": 2, "Worst": 3}
    assert pareto_tiers({}) == {}
    assert not dominates((1, 1), (1, 1))


@given(
    st.dictionaries(
        st.text("ABCDEFG", min_size=1, max_size=3),
        st.tuples(st.integers(0, 5), st.integers(0, 5)),
        max_size=8,
    )
)
def test_nobody_is_dominated_inside_a_tier_and_each_lower_tier_has_its_reason(costs):
    tiers = pareto_tiers(costs)
    assert set(tiers) == set(costs)
    for name, own in costs.items():
        above = [other for other, tier in tiers.items() if tier == tiers[name] - 1]
        same = [other for other, tier in tiers.items() if tier == tiers[name]]
        assert not any(dominates(costs[other], own) for other in same)
        assert tiers[name] == 1 or any(dominates(costs[other], own) for other in above)
