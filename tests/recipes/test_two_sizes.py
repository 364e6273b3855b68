"""Two sizes of base: measures of agreement, the other base's track, table and picture."""

import itertools
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import paths
from harness.contributions.registry import load_named
from harness.protocol.track import load_track
from recipes.two_sizes import __main__ as command
from recipes.two_sizes import methods, page
from recipes.two_sizes.agreement import agreement, kendall_tau, one_seed_each, spearman_rho

FIRST = np.array([7, 4, 3, 10, 6, 2, 9, 8, 1, 5], float)
SECOND = np.array([5, 7, 3, 10, 1, 9, 6, 2, 8, 4], float)


def test_measures_are_those_of_the_books():
    # 21 of the 45 pairs are in the same order.
    assert kendall_tau(FIRST, SECOND) == pytest.approx((21 - 24) / 45)
    squares = np.square(FIRST - SECOND).sum()
    assert spearman_rho(FIRST, SECOND) == pytest.approx(1 - 6 * squares / 990)
    for measure in (kendall_tau, spearman_rho):
        assert measure(SECOND, 3 * SECOND + 1) == pytest.approx(1)
        assert measure(SECOND, -SECOND) == pytest.approx(-1)
        assert measure(SECOND, np.ones(10)) == 0


@pytest.mark.needs("scipy")
def test_measures_equal_scipys():
    from scipy.stats import kendalltau, spearmanr

    random = np.random.default_rng(0)
    for _ in range(50):  # with ties
        one, other = (random.integers(0, 6, 8).astype(float) for _ in range(2))
        assert kendall_tau(one, other) == pytest.approx(kendalltau(one, other)[0], abs=1e-12)
        assert spearman_rho(one, other) == pytest.approx(spearmanr(one, other)[0], abs=1e-12)


def test_ties_are_counted_as_tau_b_and_middle_ranks_do():
    first, second = np.array([1.0, 2, 2, 3]), np.array([1.0, 3, 2, 4])
    assert kendall_tau(first, second) == pytest.approx(5 / (5 * 6) ** 0.5)
    assert spearman_rho(first, second) == pytest.approx(
        np.corrcoef([0, 1.5, 1.5, 3], [0, 2, 1, 3])[0, 1]
    )


def noisy(spread, seed, methods=12, seeds=3):
    """Figures (methods, seeds) whose true order is that of their rows."""
    noise = np.random.default_rng(seed).standard_normal((methods, seeds))
    return np.arange(methods)[:, None] + spread * noise


def test_a_clear_order_agrees_for_sure_and_noise_does_not():
    clear = agreement(noisy(0.01, 1), noisy(0.01, 2))
    assert clear["kendall_tau"]["value"] == 1
    assert clear["kendall_tau"]["over_both"] == [1, 1]
    vague = agreement(noisy(100, 1), noisy(100, 2))
    for one in vague.values():
        for axis in ("over_seeds", "over_both"):
            low, high = one[axis]
            assert low < 0.5
            assert high - low > 0.2
    assert agreement(noisy(3, 1), noisy(3, 2)) == agreement(noisy(3, 1), noisy(3, 2))


def test_an_offset_that_all_methods_share_changes_nothing():
    first, second = noisy(0.4, 1), noisy(0.4, 2)
    moved = first + np.array([0, 50, -20])
    assert agreement(moved, second)["spearman_rho"] == agreement(first, second)["spearman_rho"]


def test_a_base_is_compared_with_itself_by_one_seed_each():
    found = one_seed_each(noisy(0.01, 1), noisy(20, 2))
    assert found["first"] == 1
    assert found["second"] < 0.8
    assert -1 < found["across"] < 1


def test_every_method_is_there_and_is_the_boards():
    for name in methods.METHODS:
        assert load_named(name).content_hash
    assert len(methods.METHODS) == 12


def test_the_half_base_has_a_track_that_differs_in_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    track = load_track("portrait")
    other = command.half_track(track, tmp_path / "model")
    assert other.file.name == "portrait-half"
    assert other.base_model == tmp_path / "model"
    assert other.is_own
    assert (other.train_dir, other.heldout_dir, other.rivals_dir) == (
        track.train_dir,
        track.heldout_dir,
        track.rivals_dir,
    )
    same = {"name": "", "pictures": None, "base_model": ""}
    assert other.file.model_copy(update=same) == track.file.model_copy(update=same)


def made_up(seeds=3):
    """What the command writes, with made-up gains."""
    sides = dict(zip(page.SIZES, (noisy(0.3, 1), noisy(0.3, 2)), strict=True))
    of_method = [
        {
            size: {"gains": (side[row] / 100).tolist(), "hit_rates": [0.5] * seeds}
            for size, side in sides.items()
        }
        for row in range(len(methods.METHODS))
    ]
    base = {"widths": [64, 128], "parameters": 10, "unet_samples": 20, "heldout_loss": 0.1}
    return {
        "track": "portrait",
        "seeds": [0, 1, 2],
        "steps": 250,
        "batch_size": 8,
        "bases": dict.fromkeys(page.SIZES, base),
        "methods": dict(zip(methods.METHODS, of_method, strict=True)),
        "agreement": agreement(*sides.values()),
        "one_seed_each": one_seed_each(*sides.values()),
    }


def test_the_table_has_each_method_once_the_best_first():
    lines = [line for line in page.block(made_up()).splitlines() if " ± " in line]
    assert len(lines) == len(methods.METHODS)
    assert lines[0].startswith(f"| {methods.METHODS[-1]} ")
    assert [line.split("|")[3].strip() for line in lines] == [str(n) for n in range(1, 13)]


def test_the_picture_is_a_drawing_with_a_dot_for_each_method():
    root = ElementTree.fromstring(page.picture(made_up()))
    places = [
        (float(dot.get("cx")), float(dot.get("cy")))
        for dot in root.iter()
        if dot.tag.endswith("circle")
    ]
    assert len(places) == len(methods.METHODS)
    assert all(page.LEFT < x < page.RIGHT and page.TOP < y < page.BOTTOM for x, y in places)
    # The last method is the best on both: right and up.
    assert places[-1][0] > places[0][0]
    assert places[-1][1] < places[0][1]


@given(
    st.lists(st.tuples(st.floats(80, 480), st.floats(50, 450)), min_size=2, max_size=8, unique=True)
)
def test_names_stand_over_no_other_name(places):
    dots = [(f"Method{number}", x, y) for number, (x, y) in enumerate(places)]
    boxes = [page.box_of(name, *place) for name, place in page.beside_dots(dots).items()]
    wide = page.LETTER * len("Method0")
    shared = sum(page.overlap(a, b) for a, b in itertools.combinations(boxes, 2))
    crowded = any(
        abs(a[0] - b[0]) < 2 * wide and abs(a[1] - b[1]) < 4 * page.LINE
        for a, b in itertools.combinations(places, 2)
    )
    assert crowded or not shared


def test_of_close_dots_each_name_is_read_alone():
    dots = [("reference", 200.0, 200.0), ("LoHa", 198.0, 204.0), ("DoRA", 203.0, 190.0)]
    boxes = [page.box_of(name, *place) for name, place in page.beside_dots(dots).items()]
    assert not any(page.overlap(a, b) for a, b in itertools.combinations(boxes, 2))


def test_the_page_says_what_was_measured():
    text = page.PAGE.read_text(encoding="utf-8")
    assert text.count(page.BEGIN) == text.count(page.END) == 1
    found = page.measured("portrait")
    assert page.with_block(text, found) == text
