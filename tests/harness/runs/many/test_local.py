"""What a board makes of its runs: faults are results, and no run is started without need."""

import pytest

from harness.contributions import registry
from harness.runs.many.local import Board, OneOfMany, run_local
from harness.runs.many.queue import Planned
from harness.runs.many.tasks import Task
from toolkit.core.errors import HubError


class Heard:
    """A listener that remembers."""

    def __init__(self):
        self.said = []

    def started(self, planned):
        self.said.append(("started", planned.task.label))

    def news(self, task, done, text):
        self.said.append((task.label, done, text))

    def ended(self, result):
        self.said.append(("ended", result.label, result.status))

    def tick(self): ...


def planned(name="Example1"):
    task = Task(contribution=name, track="robot", seeds=(0,), skip_gate=True, isolation="process")
    return Planned(task, seeds=1)


def test_news_of_a_runs_tasks_reach_the_board_and_the_first_says_that_it_began():
    heard = Heard()
    one = OneOfMany(planned(), Board(heard))
    one._news.update("Example1, seed 0", 0.5, "step 5 of 10")
    one._news.finish("Example1, seed 0", ok=True)
    assert heard.said == [
        ("started", "Example1 on robot"),
        ("Example1 on robot", 0.5, "Example1, seed 0: step 5 of 10"),
        ("Example1 on robot", 1.0, "Example1, seed 0: done"),
    ]
    one.conclude([HubError("no disk")])
    one._news.update("the base of robot", 0.5, "still wanted by another")
    assert heard.said[-1] == ("ended", "Example1 on robot", "error")


def test_a_run_that_cannot_be_planned_is_a_result_and_stops_nobody(runs, monkeypatch):
    monkeypatch.delenv("HUB_ISOLATION", raising=False)
    heard = Heard()
    (result,) = run_local([planned("NoSuchThing")], heard, jobs=1)
    assert (result.status, result.contribution) == ("error", "NoSuchThing")
    assert heard.said == [("ended", "NoSuchThing on robot", "error")]


def test_without_its_reference_a_track_is_not_run_and_each_of_it_says_so(runs):
    board = Board(Heard())
    runs_ = [OneOfMany(planned(name), board) for name in ("reference", "Example1")]
    for one in runs_:
        (row,) = [task for task in one.tasks() if task.kind == "row"]
        assert row.goal is one
    assert runs_[0].conclude([HubError("no disk")]) == ()
    assert runs_[1].conclude([]) == ()
    assert [result.status for result in board.results] == ["error", "not run"]
    assert "The reference on robot ended with error" in board.results[1].error.what


def test_what_several_runs_need_is_one_task(runs):
    board = Board(Heard())
    tasks = [
        one for name in ("reference", "Example1") for one in OneOfMany(planned(name), board).tasks()
    ]
    ids = [task.id for task in tasks if task.kind != "row"]
    assert len(ids) == len(set(ids)) + 3  # base, training and scoring of the reference
    works = {}
    for task in tasks:
        assert works.setdefault(task.id, task.work) is task.work
    assert registry.load_reference().name == "reference"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_board_of_nothing_ends_at_once(jobs):
    assert run_local([], Heard(), jobs) == []
