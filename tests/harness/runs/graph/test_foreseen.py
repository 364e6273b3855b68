"""The time left that a run shows, against what it then took, on a clock that costs nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.graph.foreseen import Foreseen, Heard
from harness.runs.graph.schedule import Schedule
from harness.runs.graph.simulation import seconds_left
from tests.harness.runs.graph.test_schedule import task, verdict

WITHIN = 0.2


def told(tasks, true_seconds, jobs, moments=40):
    """Carry out a graph on a clock; return what was told at moments after the first third.

    Args:
        tasks: Of the graph, with their estimates.
        true_seconds: What a task really takes.
        jobs: Tasks at once.
        moments: How often it is asked.

    Returns:
        Pairs of what was told and what was left, as shares of the whole.
    """
    whole = seconds_left(Schedule(tasks), jobs, seconds=true_seconds)
    schedule, foreseen, began, now, pairs = Schedule(tasks), Foreseen(), {}, 0.0, []
    asked = [whole * number / moments for number in range(moments)]
    while not schedule.is_over:
        while len(schedule.running) < jobs and (taken := schedule.take()):
            began[taken.id] = now
        ends = {one: began[one] + true_seconds(schedule.tasks[one]) for one in schedule.running}
        first = min(ends, key=ends.get)
        while asked and asked[0] < ends[first]:
            at = asked.pop(0)
            running = [
                (schedule.tasks[one], at - began[one], (at - began[one]) / (end - began[one]))
                for one, end in ends.items()
            ]
            foreseen.look(running)
            to_go = {one.id: foreseen.left(one, *rest) for one, *rest in running}
            left = seconds_left(schedule, jobs, running=to_go, seconds=foreseen.seconds)
            if at >= whole / 3:
                pairs.append((left / whole, (whole - at) / whole))
        now = ends[first]
        foreseen.note(schedule.tasks[first], now - began[first])
        schedule.end(first, well=True)
    return pairs


@given(
    factor=st.floats(0.2, 10),
    seeds=st.integers(2, 5),
    known=st.booleans(),
    jobs=st.sampled_from([1, 2, 4]),
)
def test_on_a_faster_or_slower_machine_it_is_true_after_the_first_third(factor, seeds, known, jobs):
    tasks = verdict(seeds, known=known)
    for said, left in told(tasks, lambda one: factor * one.seconds, jobs):
        assert abs(said - left) <= WITHIN


@given(factor=st.floats(1, 20), seeds=st.integers(2, 5), jobs=st.sampled_from([1, 2, 4]))
def test_a_track_with_a_longer_budget_is_foreseen_by_its_first_trainings(factor, seeds, jobs):
    tasks = verdict(seeds)

    def true_seconds(one):
        return one.seconds * (factor if one.kind == "train" else 1.0)

    for said, left in told(tasks, true_seconds, jobs):
        assert abs(said - left) <= WITHIN


def test_kinds_that_were_not_seen_yet_are_as_slow_as_those_that_were():
    foreseen = Foreseen()
    foreseen.note(task("one", seconds=10.0), 30.0)
    assert foreseen.seconds(task("two", seconds=5.0)) == pytest.approx(15)
    assert foreseen.seconds(task("score", "score", seconds=4.0)) == pytest.approx(12)
    foreseen.note(task("score", "score", seconds=4.0), 4.0)
    assert foreseen.seconds(task("other", "score", seconds=5.0)) == pytest.approx(5)


def test_what_says_nothing_of_itself_takes_at_least_as_long_as_it_has_run():
    foreseen, silent = Foreseen(), task("silent", "base", seconds=2.0)
    foreseen.look([(silent, 8.0, 0.0)])
    assert foreseen.seconds(task("next", "base", seconds=1.0)) == pytest.approx(4)
    foreseen.look([])
    assert foreseen.seconds(silent) == 2.0


def test_news_are_kept_and_passed_on():
    class Told:
        def __init__(self):
            self.lines = []

        def update(self, *line):
            self.lines.append(line)

        def finish(self, label, *, ok):
            self.lines.append((label, ok))

    progress = Told()
    heard = Heard(progress)
    heard.update("a", 0.25, "x")
    heard.finish("a", ok=True)
    assert heard.share == 0.25
    assert progress.lines == [("a", 0.25, "x"), ("a", True)]
