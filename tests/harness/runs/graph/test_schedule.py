"""Which task comes next, what becomes of those that wait for one that fails, and how long it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.graph.schedule import Schedule
from harness.runs.graph.simulation import seconds_left
from harness.runs.graph.task import Task

GIB = 2**30


def run_of(name, seeds=3, gate=12.0, train=14.0, score=7.0, base=("base",), reference=()):
    """The tasks of one verdict, with times as measured."""
    trains = [Task(f"{name}/train/{n}", "train", seconds=train) for n in range(seeds)]
    scores = [
        Task(f"{name}/score/{n}", "score", needs=(one.id, *base), seconds=score)
        for n, one in enumerate(trains)
    ]
    gates = [Task(f"{name}/gate", "gate", seconds=gate)]
    needs = tuple(one.id for one in (*gates, *scores)) + reference
    row = Task(f"{name}/row", "row", needs=needs, heeds=(gates[0].id,))
    return [*gates, *trains, *scores, row]


def board(runs, **times):
    base = Task("base", "base", seconds=11.0)
    reference = run_of("reference", **times)
    scores = tuple(one.id for one in reference if one.kind == "score")
    others = [one for n in range(runs) for one in run_of(f"run{n}", reference=scores, **times)]
    return [base, *reference, *others]


def first_verdict():
    """A contribution and the reference that nobody has run here yet."""
    *shared, _row = [Task("base", "base", seconds=11.0), *run_of("reference")]
    needed = tuple(one.id for one in shared if one.kind in ("gate", "score"))
    return [*shared, *run_of("own", reference=needed)]


def least_seconds(schedule, jobs):
    """Return what no order can be faster than: the longest path, or all work on all cores."""
    longest = {}

    def path(one):
        if one not in longest:
            task = schedule.tasks[one]
            before = max((path(need) for need in (*task.needs, *task.heeds)), default=0.0)
            longest[one] = before + task.seconds
        return longest[one]

    work = sum(task.seconds for task in schedule.tasks.values())
    return max(work / jobs, *(path(one) for one in schedule.tasks))


def ids(tasks):
    return [task.id for task in tasks]


def drain(schedule, jobs=1):
    """Take and end everything, one job after the other; return the order of the starts."""
    order = []
    while not schedule.is_over:
        for goal in schedule.ready_goals():
            order.append(goal.id)
            schedule.end(goal.id, well=True)
        while len(schedule.running) < jobs and (task := schedule.take()):
            order.append(task.id)
        if schedule.running:
            schedule.end(next(iter(schedule.running)), well=True)
    return order


# An edited contribution, a first verdict, a board; with what no order can beat as 1.
CASES = {"edited": (run_of("edited", base=()), 1.15), "first": (first_verdict(), 1.15)}
CASES |= {f"board of {runs}": (board(runs, seeds=5), 1.15) for runs in (3, 12)}


@pytest.mark.parametrize("jobs", [1, 2, 4, 8])
@pytest.mark.parametrize("case", CASES)
def test_the_wall_is_near_what_no_order_can_beat(jobs, case):
    # Measured with the embedded base: gate 12, a training 14, a scoring 7, the base 11 seconds.
    tasks, most = CASES[case]
    schedule = Schedule(tasks)
    assert seconds_left(schedule, jobs) <= most * least_seconds(schedule, jobs)
    assert schedule.running == {}  # it was only simulated


def test_the_longest_remaining_path_comes_first():
    slow = Task("slow", "train", seconds=5)
    tasks = [
        Task("short", "train", seconds=9),
        slow,
        Task("after", "score", needs=("slow",), seconds=5),
        Task("row", "row", needs=("short", "after")),
    ]
    assert drain(Schedule(tasks)) == ["slow", "short", "after", "row"]


def test_the_gate_comes_first_even_with_one_task_at_a_time():
    order = drain(Schedule([Task("base", "base", seconds=11), *run_of("one")]))
    assert order[0] == "one/gate"


def test_a_run_that_has_begun_is_ended_before_the_next_begins():
    order = drain(Schedule(board(3)))
    first = next(one for one in order if one.startswith("run")).partition("/")[0]
    others = [n for n, one in enumerate(order) if one.startswith("run") and first not in one]
    assert order.index(f"{first}/row") < min(others)


def test_what_several_runs_need_is_one_task_and_comes_first():
    schedule = Schedule(board(2))
    order = drain(schedule)
    assert len(order) == len(set(order)) == len(schedule.tasks)
    own = min(n for n, one in enumerate(order) if one.startswith("run"))
    shared = [n for n, one in enumerate(order) if one.startswith("reference/train")]
    assert max(shared) < own


def test_a_failed_gate_cancels_what_only_its_run_needs():
    schedule = Schedule([Task("base", "base", seconds=11), *run_of("bad"), *run_of("good")])
    taken = [schedule.take() for _ in range(6)]
    assert "bad/gate" in ids(taken)
    assert schedule.unwanted() == []
    schedule.end("bad/gate", well=False)
    assert {one.partition("/")[0] for one in ids(schedule.unwanted())} == {"bad"}
    assert ids(schedule.ready_goals()) == ["bad/row"]
    schedule.end("bad/row", well=False)
    assert all(not one.startswith("bad") for one in ids(schedule.waiting()))
    assert "base" in schedule.running or "base" in ids(schedule.waiting())


def test_a_failed_training_ends_the_others_and_waits_for_the_gate():
    schedule = Schedule([Task("base", "base"), *run_of("bad")])
    taken = ids([schedule.take() for _ in range(5)])
    assert {"bad/gate", "bad/train/0", "bad/train/1"} <= set(taken)
    schedule.end("bad/train/0", well=False)
    assert "bad/train/1" in ids(schedule.unwanted())
    assert "bad/gate" not in ids(schedule.unwanted())
    assert schedule.ready_goals() == []
    schedule.end("bad/gate", well=True)
    assert ids(schedule.ready_goals()) == ["bad/row"]


def test_a_goal_that_heeds_everything_goes_on_with_what_did_not_fail():
    tasks = [
        Task("a", "train"),
        Task("a/score", "score", needs=("a",)),
        Task("b", "train"),
        Task("b/score", "score", needs=("b",)),
        Task("row", "row", heeds=("a/score", "b/score")),
    ]
    schedule = Schedule(tasks)
    assert schedule.take().id == "a"
    schedule.end("a", well=False)
    assert schedule.ready_goals() == []
    assert schedule.take().id == "b"
    schedule.end("b", well=True)
    assert schedule.take().id == "b/score"
    assert schedule.take() is None
    schedule.end("b/score", well=True)
    assert ids(schedule.ready_goals()) == ["row"]


def test_more_tasks_can_follow_when_a_goal_has_been_concluded():
    schedule = Schedule([Task("base", "base"), *run_of("one", seeds=1)])
    drain(schedule)
    assert schedule.is_over
    schedule.add([Task("more", "train"), Task("all", "row", needs=("more", "one/score/0"))])
    assert not schedule.is_over
    assert drain(schedule) == ["more", "all"]


def test_what_does_not_fit_into_memory_waits_and_a_smaller_one_goes_first():
    big = Task("big", "train", seconds=9, memory_bytes=6 * GIB)
    small = Task("small", "train", seconds=1, memory_bytes=GIB)
    schedule = Schedule([big, small, Task("row", "row", needs=("big", "small"))])
    schedule.running["other"] = Task("other", "gate")
    assert schedule.take(5 * GIB) == small
    assert schedule.take(4 * GIB) is None
    schedule.end("small", well=True)
    schedule.end("other", well=True)
    assert schedule.take(GIB) == big  # alone where nothing ever fits: it never waits for ever


def test_what_cannot_be_started_now_waits_and_the_next_goes_first():
    schedule = Schedule([*run_of("one")[:3], Task("row", "row", needs=("one/gate", "one/train/0"))])
    first = schedule.take()
    schedule.back(first.id)
    assert schedule.take(without={first.id}) not in (first, None)
    assert schedule.take() == first


names = st.sampled_from("ABCDEF")


@given(
    st.lists(st.tuples(names, st.integers(1, 3), st.floats(0, 99)), min_size=1, max_size=5),
    st.integers(1, 4),
    st.randoms(),
)
def test_every_task_is_run_once_and_never_before_its_needs_whatever_fails(runs, jobs, chance):
    tasks = [Task("base", "base", seconds=3, memory_bytes=GIB)]
    for name, seeds, seconds in {name: (name, *rest) for name, *rest in runs}.values():
        tasks += run_of(name, seeds=seeds, train=seconds)
    schedule, seen, concluded = Schedule(tasks), [], set()
    while not schedule.is_over:
        for goal in schedule.ready_goals():
            concluded.add(goal.id)
            schedule.end(goal.id, well=True)
        for task in schedule.unwanted():
            schedule.end(task.id, well=False)
        while len(schedule.running) < jobs:
            task = schedule.take(GIB)
            if task is None:
                break
            assert all(schedule.ended[need] for need in task.needs)
            seen.append(task.id)
        if schedule.running:
            one = chance.choice(sorted(schedule.running))
            schedule.end(one, well=chance.random() < 0.8)
        else:
            assert schedule.ready_goals() or schedule.is_over, "a deadlock"
    assert len(seen) == len(set(seen))
    assert concluded == {task.id for task in tasks if task.kind == "row"}
