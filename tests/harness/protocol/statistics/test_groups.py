"""Groups and intervals: known answers, and the family-wise error by simulation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol.statistics.groups import compare_all
from harness.protocol.statistics.paired import t_test_p
from harness.protocol.statistics.shared_noise import shared_noise
from harness.protocol.statistics.student import two_sided_p


def groups_of(figures):
    return compare_all(figures).groups()


def clearly_different(figures):
    """Tell by the rows' places in an array which pairs differ."""
    names = [f"M{place:03}" for place in range(len(figures))]
    found = compare_all(dict(zip(names, figures.tolist(), strict=True)))
    order = [found.names.index(name) for name in names]
    return found.different[np.ix_(order, order)]


def test_clear_gaps_make_groups_and_noise_does_not():
    rng = np.random.default_rng(0)
    seeds = rng.normal(0, 1, 5)  # what all methods share: pairing takes it out
    figures = {
        name: list(mean + seeds + rng.normal(0, 0.01, 5))
        for name, mean in {"Good": 1.0, "AsGood": 1.0, "Middle": 0.5, "Bad": 0.0}.items()
    }
    best, middle, bad = groups_of(figures)
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
        split += len(groups_of(figures)) > 1
    assert split / boards <= 0.05 + 0.038  # three standard errors


def test_equals_inside_a_board_with_others_are_seldom_split():
    rng = np.random.default_rng(12)
    boards, split = 300, 0
    for _ in range(boards):
        figures = {f"Equal{k}": list(rng.normal(0, 0.2, 5)) for k in range(3)}
        figures["Winner"] = list(rng.normal(3, 0.2, 5))
        groups = groups_of(figures)
        split += len([g for g in groups if any(n.startswith("Equal") for n in g)]) > 1
    assert split / boards <= 0.05 + 0.038


SPREADS = {
    "alike": np.full(30, 0.3),
    "as on the robot track": np.geomspace(0.1, 0.7, 30),
    "half of them four times as wild": np.repeat([0.1, 0.4], 15),
    "one wild one": np.array([0.1] * 9 + [0.6]),
    "three": np.array([0.1, 0.1, 0.6]),
}


@pytest.mark.parametrize("spreads", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize("kind", ["normal", "heavy tails"])
def test_equals_are_seldom_split_however_unevenly_they_scatter(spreads, kind):
    rng = np.random.default_rng(13)
    boards, split = 300, 0
    for _ in range(boards):
        shape = (len(spreads), 5)
        noise = rng.normal(size=shape) if kind == "normal" else rng.standard_t(5, size=shape)
        figures = spreads[:, None] * noise + rng.normal(size=(1, 5))
        split += bool(clearly_different(figures).any())
    assert split / boards <= 0.05 + 0.038


def test_five_seeds_tell_methods_apart_on_a_large_board():
    """What a paired t test, corrected for all pairs of 40 methods, hardly ever does."""
    rng = np.random.default_rng(14)
    figures = rng.normal(0, 0.3, (40, 5)) + np.repeat([0.0, 2.0], 20)[:, None]
    different = clearly_different(figures)
    assert different[:20, 20:].mean() > 0.95
    assert not different[:20, :20].any()


def test_one_wild_method_does_not_hide_what_the_others_show():
    rng = np.random.default_rng(17)
    figures = rng.normal(0, 0.2, (20, 5)) + np.repeat([0.0, 2.0], 10)[:, None]
    figures[4] = [-30.0, 30.0, 20.0, -40.0, 0.0]
    different = clearly_different(figures)
    quiet = np.delete(np.arange(10), 4)
    assert different[np.ix_(quiet, np.arange(10, 20))].mean() > 0.9
    assert not different[4].any()


def test_two_methods_are_compared_by_the_paired_t_test():
    rng = np.random.default_rng(15)
    for gap in (0.0, 0.5, 1.0, 2.0):
        one, other = rng.normal(0, 0.4, (2, 5)) + np.array([[0.0], [gap]])
        p = t_test_p(list(other - one))
        assert bool(clearly_different(np.array([one, other]))[0, 1]) == (p < 0.05)


def test_the_rounds_are_holms_correction():
    rng = np.random.default_rng(16)
    figures = rng.normal(0, 0.3, (8, 5)) + np.linspace(0, 3, 8)[:, None]
    noise = shared_noise(figures)
    pairs = list(itertools.combinations(range(8), 2))
    p_values = []
    for i, j in pairs:
        error = ((noise.variances[i] + noise.variances[j]) / 5) ** 0.5
        t = abs(figures[i].mean() - figures[j].mean()) / error
        p_values.append(two_sided_p(float(t), noise.freedom))
    wanted = set()
    for place, index in enumerate(np.argsort(p_values)):
        if p_values[index] >= 0.05 / (len(pairs) - place):
            break
        wanted.add(pairs[index])
    different = clearly_different(figures)
    assert {(i, j) for i, j in pairs if different[i, j]} == wanted
    assert 0 < len(wanted) < len(pairs)


def test_figures_without_any_noise_differ_when_they_differ():
    figures = {"A": [1.0, 1.0], "B": [1.0, 1.0], "C": [2.0, 2.0]}
    assert groups_of(figures) == [["C"], ["A", "B"]]
    assert groups_of({}) == []
    assert groups_of({"A": [1.0], "B": [2.0]}) == [["B", "A"]]


def test_the_groups_do_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(5)
    figures = {f"M{k}": list(rng.normal(k, 0.5, 5)) for k in range(5)}
    assert groups_of(figures) == groups_of(dict(reversed(figures.items())))


@pytest.mark.parametrize("spreads", SPREADS.values(), ids=SPREADS)
def test_all_intervals_hold_at_once_in_95_of_100_tables(spreads):
    rng = np.random.default_rng(18)
    truth = rng.normal(0, 1, len(spreads))
    tables, missed = 300, 0
    for _ in range(tables):
        noise = spreads[:, None] * rng.normal(size=(len(spreads), 5)) + rng.normal(size=(1, 5))
        rows = {f"M{k}": list(truth[k] + noise[k]) for k in range(len(spreads))}
        found = compare_all(rows)
        bounds = [(k, found.interval(f"M{k}", "M0")) for k in range(1, len(spreads))]
        missed += any(not low <= truth[k] - truth[0] <= high for k, (low, high) in bounds)
    assert missed / tables <= 0.05 + 0.038


@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(2, 6))
def test_groups_and_intervals_never_contradict_each_other(seed, methods, seeds):
    rng = np.random.default_rng(seed)
    spreads = rng.uniform(0.05, 1.0, methods)[:, None]
    rows = rng.normal(0, 1, methods)[:, None] + spreads * rng.normal(size=(methods, seeds))
    found = compare_all({f"M{k}": list(row) for k, row in enumerate(rows)})
    groups, intervals = found.groups(), {name: found.interval(name, "M0") for name in found.names}
    assert [name for group in groups for name in group] == list(found.names)  # by gain
    group_of = {name: place for place, group in enumerate(groups) for name in group}
    for one, other in itertools.permutations(found.names, 2):
        if "M0" not in (one, other) and intervals[one][1] < intervals[other][0]:
            assert group_of[one] > group_of[other]
    place = found.names.index("M0")
    for name in set(found.names) - {"M0"}:
        low, high = intervals[name]
        differs = bool(found.different[found.names.index(name), place])
        assert differs == (low > 0 or high < 0)
        assert not differs or group_of[name] != group_of["M0"]


def test_a_training_with_the_same_figures_has_no_noise_between():
    rng = np.random.default_rng(19)
    figures = {name: list(rng.normal(0, 0.3, 5)) for name in "ABC"} | {"Twin": []}
    figures["Twin"] = figures["A"]
    assert compare_all(figures).interval("Twin", "A") == (0.0, 0.0)
    assert compare_all({"A": [1.0], "B": [2.0]}).interval("A", "B") is None


def test_different_numbers_of_seeds_are_refused():
    with pytest.raises(ValueError, match="same seeds"):
        groups_of({"A": [1.0, 2.0], "B": [1.0]})
