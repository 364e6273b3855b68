"""Steps, grid and estimates, from the pictures and the pace of the device."""

from __future__ import annotations

import pytest

from harness.runs.many.view import spoken
from harness.runs.own.budget import budget_of, grid_of, timeout_of
from harness.runs.own.pace import Pace
from toolkit.training_runs.presets import PRESETS, train_settings

FAST = Pace(step_s=0.01, forward_s=0.004, load_s=5, activation_bytes=0)
SLOW = FAST.model_copy(update={"step_s": 20.0})


@pytest.mark.parametrize("native_px", [64, 512])
def test_where_there_is_time_everybody_trains_as_train_does(native_px):
    budget = budget_of(12, native_px, native_px, FAST)
    settings = train_settings(PRESETS["subject"], 12, native_px, native_px)
    assert (budget.steps, budget.batch_size) == (settings["steps"], settings["batch_size"])
    assert budget.cut_from is None


def test_a_slow_device_gets_fewer_steps_and_says_how_many_there_would_be():
    budget = budget_of(12, 512, 512, SLOW)
    assert budget.cut_from == 1200
    assert budget.steps == 300  # a quarter at least, or beginnings would be compared
    middling = budget_of(12, 512, 512, FAST.model_copy(update={"step_s": 2.0}))
    assert middling.steps == 450  # half an hour of 2 pictures at 2 s each


def test_few_pictures_get_more_noises_and_many_get_one():
    assert grid_of(4, 64).noises_per_picture == 4
    assert grid_of(40, 64).noises_per_picture == 1


def test_a_worker_may_be_much_slower_than_foretold():
    assert timeout_of(10, 2, 8, FAST) == 600
    assert timeout_of(100, 2, 8, SLOW) == 20 * (5 + 4000)


def test_a_worker_that_only_draws_has_the_time_for_it():
    """SD 1.4 on one slow core: four steps are quick, and eight prompts take their time."""
    slow = SLOW.model_copy(update={"step_s": 5.0, "forward_s": 1.0})
    assert timeout_of(4, 1, 8, slow) > 10 * 8 * 30 * 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(89, "89 s"), (120, "2 min"), (784, "13 min"), (3599, "1 h 00 min"), (38_393, "10 h 40 min")],
)
def test_an_estimate_cannot_be_taken_for_another_unit(seconds, words):
    assert spoken(seconds) == words
