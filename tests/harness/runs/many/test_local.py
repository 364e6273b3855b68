"""Many runs in one pool: their order, their faults, and what is told of them."""

import os

import pytest

from harness.runs.graph import pool as pool_module
from harness.runs.many import local
from harness.runs.many.estimates import read_seconds
from harness.runs.many.queue import Planned
from harness.runs.many.tasks import Task, TaskResult
from harness.sandbox.layers import WANTED
from tests.harness.runs.graph.test_pool import Stage
from toolkit.core.errors import HubError


class Heard:
    """A listener that remembers."""

    def __init__(self):
        self.said, self.ticks = [], 0

    def started(self, planned):
        self.said.append(f"{planned.task.label} started")

    def news(self, task, done, text):
        self.said.append(f"{task.label}: {text}")

    def lost(self, planned): ...

    def ended(self, result):
        self.said.append(f"{result.label}: {result.status}")

    def tick(self):
        self.ticks += 1


def planned(*names, **options):
    return [
        Planned(Task(contribution=name, track="robot", isolation="process", **options), seeds=1)
        for name in names
    ]


class Runs:
    """Stands for runs: each has the tasks of its name, and ends as it is told."""

    def __init__(self, stage):
        self.stage, self.ends = stage, {}

    def course(self, task, progress):
        name = task.contribution
        progress.update(name, 0.5, "half")
        yield [self.stage.task(f"{name} {n}", polls=2) for n in range(2)]
        end = self.ends.get(name, "ok")
        if isinstance(end, BaseException):
            raise end
        return TaskResult(contribution=name, track=task.track, status=end)


@pytest.fixture
def made_up(runs, monkeypatch):
    monkeypatch.setattr(pool_module, "POLL_S", 0.0)
    monkeypatch.setenv(WANTED, "process")
    found = Runs(Stage())
    monkeypatch.setattr("harness.runs.many.task_course.task_course", found.course)
    return found


def test_the_reference_goes_first_and_the_seeds_of_the_last_run_share_the_cores(made_up):
    heard = Heard()
    results = local.run_local(planned("reference", "A", "B"), heard, 2)
    assert {one.status for one in results} == {"ok"}
    assert heard.said.index("reference on robot: ok") < heard.said.index("A on robot started")
    assert "A on robot: A: half" in heard.said
    assert made_up.stage.most == 2  # both seeds of one run, where there is nothing else
    assert all(one.seconds > 0 for one in results)
    assert heard.ticks
    assert len(read_seconds()) == 3


@pytest.mark.parametrize(
    ("end", "kind", "words"),
    [
        (HubError("no such thing"), "HubError", "no such thing"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError", "The hub itself failed"),
    ],
)
def test_a_fault_of_one_run_is_its_result_and_stops_no_other(made_up, end, kind, words):
    made_up.ends["A"] = end
    found = {
        one.contribution: one for one in local.run_local(planned("reference", "A", "B"), Heard(), 2)
    }
    assert found["B"].status == "ok"
    assert (found["A"].status, found["A"].error.kind) == ("error", kind)
    assert words in found["A"].error.what
    assert any("raise end" in line for line in found["A"].error.log_tail)


def test_without_its_reference_no_run_of_a_track_begins(made_up):
    made_up.ends["reference"] = "failed"
    heard = Heard()
    results = local.run_local(planned("reference", "A"), heard, 2)
    assert [one.status for one in results] == ["failed", "not run"]
    assert "A on robot started" not in heard.said


def test_ctrl_c_ends_every_task(made_up):
    made_up.ends["A"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        local.run_local(planned("reference", "A", "B"), Heard(), 2)
    assert made_up.stage.running == set()


def test_children_are_isolated_as_the_tasks_say(made_up, monkeypatch):
    monkeypatch.setenv(WANTED, "landlock")
    local.run_local(planned("reference"), Heard(), 1)
    assert os.environ[WANTED] == "process"
