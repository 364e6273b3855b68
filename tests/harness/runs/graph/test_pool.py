"""The executor of one machine, on tasks that only pretend to run."""

import json
from types import SimpleNamespace

import pytest

from harness import paths
from harness.runs.graph import pool as pool_module
from harness.runs.graph.course import Going
from harness.runs.graph.durations import SECONDS_FILE, clock, estimate, name_of, read_seconds
from harness.runs.graph.pool import LABEL, Pool
from harness.runs.graph.task import AlreadyDone, Task


class Told:
    def __init__(self):
        self.lines, self.finished = [], []

    def update(self, label, done, text):
        self.lines.append((label, done, text))

    def finish(self, label, *, ok):
        self.finished.append((label, ok))


class Job:
    """Runs for some polls, then ends well or badly."""

    def __init__(self, stage, name, polls, well, fault=None):
        self.stage, self.name, self.polls, self.well, self.fault = stage, name, polls, well, fault
        self.kills = 0

    def start(self):
        if self.name in self.stage.busy:
            self.stage.busy.remove(self.name)
            return None
        self.stage.events.append(f"{self.name} starts")
        self.stage.running.add(self.name)
        self.stage.most = max(self.stage.most, len(self.stage.running))
        return AlreadyDone() if self.polls == 0 else self

    def poll(self, progress):
        if self.fault is not None:
            raise self.fault
        self.polls -= 1
        return self.polls <= 0

    def kill(self):
        self.kills += 1

    def keep(self):
        self.stage.events.append(f"{self.name} kept")
        return self.well

    def close(self):
        self.stage.running.discard(self.name)
        self.stage.events.append(f"{self.name} closed")


class Stage:
    def __init__(self):
        self.events, self.running, self.most, self.busy, self.jobs = [], set(), 0, [], {}

    def task(self, name, *needs, polls=1, well=True, fault=None, kind="train", **more):
        self.jobs[name] = Job(self, name, polls, well, fault)
        return Task(name, kind, self.jobs[name], needs, seconds=1.0, name=f"t/{name}", **more)


@pytest.fixture
def stage(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    monkeypatch.setattr(pool_module, "POLL_S", 0.0)
    monkeypatch.setattr(pool_module, "BUSY_S", 0.0)
    return Stage()


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_as_many_run_at_once_as_allowed_and_needs_come_first(stage, jobs):
    tasks = [
        stage.task("a", polls=3),
        stage.task("b", polls=2),
        stage.task("c", "a", "b"),
        stage.task("d"),
    ]
    assert Pool(jobs).run_tasks(tasks, Told())
    assert stage.most == jobs
    assert stage.events.index("c starts") > stage.events.index("b kept")
    assert stage.events.index("c starts") > stage.events.index("a kept")
    assert stage.running == set()


def test_the_first_failure_ends_the_others_and_what_is_heeded_goes_on(stage):
    tasks = [
        stage.task("gate", polls=5, heeded=True, kind="gate"),
        stage.task("bad", polls=2, well=False),
        stage.task("long", polls=99),
        stage.task("after", "bad"),
    ]
    assert not Pool(3).run_tasks(tasks, Told())
    assert "gate kept" in stage.events
    assert stage.jobs["long"].kills == 1
    assert "long kept" not in stage.events
    assert "after starts" not in stage.events


def test_what_another_process_does_is_tried_again(stage):
    stage.busy = ["a", "a"]
    assert Pool(1).run_tasks([stage.task("a"), stage.task("b")], Told())
    assert stage.events.index("b starts") < stage.events.index("a starts")


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), RuntimeError("broken")])
def test_no_process_is_left_whatever_happens(stage, fault):
    tasks = [stage.task("a", polls=99), stage.task("b", fault=fault)]
    with pytest.raises(type(fault)):
        Pool(2).run_tasks(tasks, Told())
    assert stage.jobs["a"].kills == stage.jobs["b"].kills == 1
    assert stage.running == set()


def test_it_says_what_runs_what_waits_and_how_long(stage, monkeypatch):
    monkeypatch.setattr(pool_module, "NEWS_S", -1.0)
    told = Told()
    tasks = [stage.task("a", polls=3), stage.task("b", "a"), stage.task("c", "b")]
    assert Pool(2).run_tasks(tasks, told)
    label, done, text = told.lines[0]
    assert (label, done) == (LABEL, 0)
    assert text == "1 run, 2 wait, about 0:03 left"
    assert [done for _, done, _ in told.lines] == sorted(done for _, done, _ in told.lines)
    assert told.finished == [(LABEL, True)]


def test_the_largest_task_goes_alone_where_it_does_not_fit_beside_another(stage, monkeypatch):
    memory = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=1000))
    monkeypatch.setattr(pool_module, "psutil", memory)
    tasks = [stage.task("huge", memory_bytes=9000), stage.task("small", memory_bytes=10)]
    assert Pool(2).run_tasks(tasks, Told())
    assert stage.most == 1


class Course:
    """A run that asks for one graph after the other, and notes what it is told."""

    def __init__(self, *graphs, fault=None):
        self.graphs, self.fault, self.told, self.closed = graphs, fault, [], False

    def __call__(self):
        try:
            for graph in self.graphs:
                self.told.append((yield graph))
            if self.fault is not None:
                raise self.fault
        except RuntimeError as error:
            self.told.append(str(error))
            if self.fault is not None:
                raise
        finally:
            self.closed = True
        return len(self.told)


def carried_out(courses, jobs):
    """Carry out courses; return how they ended, in the order of their ends."""
    waiting = [Going(one(), Told()) for one in courses]
    ended = []
    Pool(jobs).run_all(lambda: waiting.pop(0) if waiting else None, ended.append)
    return [going.fault or going.result for going in ended]


def test_a_course_is_told_how_each_of_its_graphs_ended(stage):
    one = Course([stage.task("a")], [], [stage.task("b", well=False), stage.task("c", "b")])
    assert Pool(1).run(one(), Told()) == 3
    assert one.told == [True, True, False]
    assert "c starts" not in stage.events


def test_while_one_course_waits_another_begins_and_earlier_ones_go_first(stage):
    first = Course([stage.task("a", polls=4)], [stage.task("b"), stage.task("c")])
    second = Course([stage.task(name, polls=3) for name in "xyz"])
    assert carried_out([first, second], 2) == [2, 1]
    starts = [event.split()[0] for event in stage.events if event.endswith("starts")]
    assert starts.index("x") < starts.index("b") < starts.index("z")
    assert stage.most == 2


def test_a_failure_in_one_course_ends_nothing_of_another(stage):
    bad = Course([stage.task("bad", polls=2, well=False), stage.task("its", polls=99)])
    good = Course([stage.task("good", polls=5)])
    assert carried_out([bad, good], 3) == [1, 1]
    assert (bad.told, good.told) == ([False], [True])
    assert stage.jobs["its"].kills == 1


def test_a_fault_of_the_hub_in_a_task_is_told_to_its_course_alone(stage):
    broken = [stage.task("broken", fault=RuntimeError("no disk")), stage.task("its", polls=99)]
    hurt, other = Course(broken), Course([stage.task("other", polls=3)])
    assert carried_out([hurt, other], 3) == [1, 1]
    assert (hurt.told, other.told) == (["no disk"], [True])
    assert stage.running == set()


def test_a_course_that_raises_is_a_fault_of_its_own(stage):
    fault = ValueError("broken")
    courses = [Course([stage.task("a")], fault=fault), Course([stage.task("b")])]
    assert carried_out(courses, 1) == [fault, 1]
    with pytest.raises(ValueError, match="broken"):
        Pool(1).run(Course([stage.task("c")], fault=fault)(), Told())


def test_courses_side_by_side_answer_in_their_order_and_the_first_fault_ends_all(stage):
    slow, quick = Course([stage.task("slow", polls=9)], []), Course([stage.task("quick")])
    assert Pool(2).run_each([slow(), quick()], Told()) == [2, 1]
    assert stage.events.index("quick kept") < stage.events.index("slow kept")
    broken = Course([stage.task("bad")], fault=ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        Pool(2).run_each([Course([stage.task("other", polls=99)])(), broken()], Told())
    assert stage.jobs["other"].kills == 1


def test_what_another_process_is_at_is_asked_for_again_and_others_go_on(stage, monkeypatch):
    monkeypatch.setattr(pool_module, "BUSY_S", 0.01)
    waiting, other = Course(None, None, [stage.task("a")]), Course([stage.task("b")])
    assert carried_out([waiting, other], 1) == [1, 3]
    assert waiting.told == [True, True, True]


def test_all_courses_are_closed_after_ctrl_c(stage):
    one = Course([stage.task("a", polls=99)])
    other = Course([stage.task("b", fault=KeyboardInterrupt())])
    with pytest.raises(KeyboardInterrupt):
        carried_out([one, other], 2)
    assert (one.closed, other.closed) == (True, True)
    assert stage.jobs["a"].kills == stage.jobs["b"].kills == 1


def test_a_course_knows_what_its_tasks_took(stage):
    going = Going(Course([stage.task("a", polls=3), stage.task("b")])(), Told())
    courses = iter([going])
    Pool(2).run_all(lambda: next(courses, None), lambda _: None)
    assert going.seconds > 0


def test_seconds_are_remembered_of_what_ran_here_and_ended_well(stage):
    tasks = [stage.task("a"), stage.task("was there", polls=0), stage.task("bad", well=False)]
    Pool(1).run_tasks(tasks, Told())
    assert set(read_seconds()) == {"t/a"}


def test_a_damaged_file_of_seconds_is_no_fault(stage, tmp_path):
    (tmp_path / SECONDS_FILE).write_text("{", encoding="utf-8")
    assert read_seconds() == {}
    (tmp_path / SECONDS_FILE).write_text(json.dumps({"x": "y"}), encoding="utf-8")
    assert read_seconds() == {}


def test_an_estimate_is_its_own_else_that_of_others_of_its_kind_else_the_usual():
    name = name_of("train", "robot", "cpu", "One")
    others = {name_of("train", "robot", "cpu", one): s for one, s in (("A", 8.0), ("B", 12.0))}
    assert estimate({name: 3.0, **others}, name, "train") == 3.0
    assert estimate(others, name, "train") == 10.0
    assert estimate({}, name, "train") > 0


@pytest.mark.parametrize(("seconds", "text"), [(59.6, "1:00"), (3661, "1:01:01"), (0, "0:00")])
def test_time_is_written_as_on_a_clock(seconds, text):
    assert clock(seconds) == text
