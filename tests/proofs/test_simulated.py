"""Simulated boards: the tally on boards that are known by hand, and what the page says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.proofs.simulated.__main__ import BEGIN, END, PAGE, known, table
from tests.proofs.simulated.boards import (
    SEEDS,
    Found,
    Truth,
    draw_board,
    heavy,
    recorded,
    simulate,
    tally,
    truths,
)

# Standard errors of a share over 500 boards that a claim may be missed by.
ERRORS = 3


def told(truth, board):
    names = list(Found.model_fields)[4:]
    return dict(zip(names, tally(truth, np.asarray(board, dtype=float)), strict=True))


def test_a_board_without_noise_that_says_the_truth_has_no_fault():
    truth = Truth("clear", np.array([0.30, 0.25, 0.36]), np.zeros(3))
    wobble = 1e-6 * np.arange(15).reshape(3, 5) % 7 * 1e-6
    found = told(truth, truth.gains[:, None] + wobble)
    assert found["any_false"] == 0
    assert (found["best_first"], found["best_in_first_group"], found["points_behind"]) == (1, 1, 0)
    assert found["found_apart"] == 1  # 5, 6 and 11 points


def test_two_that_are_equal_and_called_different_are_a_false_difference():
    truth = Truth("equal", np.array([0.3, 0.3, 0.3]), np.zeros(3))
    noise = np.array([[0, 1, 2, 1, 0], [2, 0, 1, 1, 1], [1, 1, 0, 2, 2]]) * 1e-5
    found = told(truth, np.array([[0.3], [0.4], [0.3]]) + noise)
    assert found["any_false"] == 1
    assert found["all_hold"] == 0
    assert 0 < found["each_holds"] < 1
    assert (found["best_first"], found["points_behind"]) == (1, 0)  # all are best
    assert np.isnan(found["found_apart"])


def test_two_in_the_wrong_order_are_false_and_the_first_is_behind():
    truth = Truth("turned", np.array([0.40, 0.30]), np.zeros(2))
    found = told(
        truth, np.array([[0.30], [0.40]]) + np.array([[0, 1, 2, 1, 0], [1, 0, 1, 2, 2]]) * 1e-5
    )
    assert (found["any_false"], found["best_first"]) == (1, 0)
    assert found["points_behind"] == pytest.approx(10)


def test_a_board_is_drawn_around_its_truth():
    truth = Truth("t", np.array([0.1, 0.5]), np.array([0.0, 0.2]), common=0.0, draw=heavy)
    boards = np.stack([draw_board(truth, np.random.default_rng(n)) for n in range(2000)])
    assert boards.shape == (2000, 2, SEEDS)
    assert np.ptp(boards[:, 0]) == 0
    assert boards[:, 1].mean() == pytest.approx(0.5, abs=0.01)
    assert boards[:, 1].std() == pytest.approx(0.2, rel=0.1)


def test_a_recorded_truth_has_the_rows_of_the_board_the_reference_first():
    truth = recorded("robot")
    assert truth.gains[0] == pytest.approx(0.322, abs=0.001)
    assert len(truth.gains) == len(truth.spreads) > 30
    assert 0 < truth.common < 0.05
    with pytest.raises(ValueError, match="no row of the reference on portrait"):
        recorded("portrait")


def test_the_same_seed_simulates_the_same():
    truth = Truth("few", np.array([0.3, 0.3, 0.31]), np.full(3, 0.004))
    assert simulate(truth, 5) == simulate(truth, 5)


def test_the_page_says_what_is_recorded_and_the_protocols_claims_hold():
    text = PAGE.read_text(encoding="utf-8")
    found = known()
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == table(found)
    assert [one.about for one in found] == [truth.about for truth in truths()]
    for one in found:
        slack = ERRORS * (0.05 * 0.95 / one.boards) ** 0.5
        assert one.any_false <= 0.05 + slack, one.about
        assert one.all_hold >= 0.95 - slack, one.about
        assert one.best_in_first_group >= 0.95 - slack, one.about
