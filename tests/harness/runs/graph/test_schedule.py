"""Which task comes next, what becomes of the others when one fails, and how long all of it is."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.graph.schedule import Schedule
from harness.runs.graph.simulation import seconds_left
from harness.runs.graph.task import Task

GIB = 2**30
GATE, TRAIN, REMAKE, BASE, SCORE = 16.0, 10.5, 4.5, 7.0, 5.0  # measured with the embedded base


def task(name, kind="train", *needs, seconds=1.0, **more):
    return Task(name, kind, work=None, needs=needs, seconds=seconds, **more)


def side(name, seeds, base):
    trains = [task(f"{name} {n}", "train", seconds=TRAIN) for n in range(seeds)]
    remake = task(f"{name} remake", "remake", *(one.id for one in trains), seconds=REMAKE)
    scores = [
        task(f"{name} score {n}", "score", remake.id, *base, seconds=SCORE) for n in range(seeds)
    ]
    return [*trains, remake, *scores]


def verdict(seeds=3, *, known=True):
    """The tasks of one verdict, with times as measured; ``known``: the reference is."""
    own_gate = task("own gate", "gate", seconds=GATE, heeded=True)
    if known:
        pace = task("pace", "train", seconds=TRAIN)
        return [own_gate, *side("own", seeds, ()), pace]
    base = task("base", "base", seconds=BASE)
    gates = [own_gate, task("reference gate", "gate", seconds=GATE, heeded=True)]
    both = side("reference", seeds, ("base",)), side("own", seeds, ("base",))
    return [*gates, *both[0], *both[1], base]


def least_seconds(tasks, seeds, jobs):
    """Return what no order can be faster than: all work on all cores, or a side's way in waves."""
    trainings = sum(one.kind == "train" and one.id != "pace" for one in tasks)
    one_side = ceil(seeds / jobs) * (TRAIN + SCORE) + REMAKE
    last_side = ceil(trainings / jobs) * TRAIN + REMAKE + SCORE
    return max(sum(one.seconds for one in tasks) / jobs, GATE, one_side, last_side)


def drain(schedule, jobs=1):
    """Take and end everything; return the order of the starts."""
    order = []
    while not schedule.is_over:
        while len(schedule.running) < jobs and (taken := schedule.take()):
            order.append(taken.id)
        schedule.end(sorted(schedule.running)[0], well=True)
    return order


@pytest.mark.parametrize("jobs", [1, 2, 4, 8])
@pytest.mark.parametrize(("seeds", "known"), [(3, True), (3, False), (5, True), (5, False)])
def test_the_wall_is_near_what_no_order_can_beat(jobs, seeds, known):
    tasks = verdict(seeds, known=known)
    schedule = Schedule(tasks)
    assert seconds_left(schedule, jobs) <= 1.15 * least_seconds(tasks, seeds, jobs)
    assert schedule.running == set()  # it was only simulated


def test_time_left_counts_what_runs_already():
    schedule = Schedule([task("one", seconds=10), task("two", "score", "one", seconds=5)])
    schedule.take()
    assert seconds_left(schedule, 2) == pytest.approx(15)
    assert seconds_left(schedule, 2, running={"one": 6.0}) == pytest.approx(11)
    assert seconds_left(schedule, 2, running={"one": 0.0}) == pytest.approx(5)
    assert seconds_left(schedule, 2, running={"one": 0.0}, seconds=lambda _: 7.0) == 7


def test_the_longest_remaining_path_comes_first():
    tasks = [
        task("short", seconds=9),
        task("slow", seconds=5),
        task("after", "score", "slow", seconds=5),
    ]
    assert drain(Schedule(tasks)) == ["slow", "short", "after"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_gate_comes_first(jobs):
    assert drain(Schedule(verdict()), jobs)[0] == "own gate"


def test_of_equals_the_first_named_comes_first_so_both_sides_take_turns():
    order = drain(
        Schedule([task("reference 0"), task("own 0"), task("reference 1"), task("own 1")])
    )
    assert order == ["reference 0", "own 0", "reference 1", "own 1"]


def test_a_failed_gate_cancels_everything_but_the_other_gate():
    schedule = Schedule(verdict(known=False))
    taken = [schedule.take().id for _ in range(4)]
    assert taken[:2] == ["own gate", "reference gate"]
    assert schedule.unwanted() == []
    schedule.end("own gate", well=False)
    assert set(schedule.unwanted()) == set(taken[2:])
    for one in schedule.unwanted():
        schedule.end(one, well=False)
    assert schedule.take() is None
    assert not schedule.is_over
    schedule.end("reference gate", well=True)
    assert schedule.is_over
    assert schedule.has_failed


def test_a_failed_training_ends_the_others_and_the_gate_is_awaited():
    schedule = Schedule(verdict())
    taken = {schedule.take().id for _ in range(3)}
    assert taken == {"own gate", "own 0", "own 1"}
    schedule.end("own 0", well=False)
    assert schedule.unwanted() == ["own 1"]
    schedule.end("own 1", well=False)
    assert not schedule.is_over
    schedule.end("own gate", well=True)
    assert schedule.is_over


def test_what_does_not_fit_into_memory_waits_and_a_smaller_one_goes_first():
    big, small = task("big", seconds=9, memory_bytes=6 * GIB), task("small", memory_bytes=GIB)
    schedule = Schedule([task("other", seconds=99), big, small])
    assert schedule.take().id == "other"
    assert schedule.take(5 * GIB) == small
    assert schedule.take(4 * GIB) is None
    schedule.end("small", well=True)
    schedule.end("other", well=True)
    assert schedule.take(GIB) is None
    assert seconds_left(schedule, 2, GIB) == 9  # alone where nothing ever fits: it goes alone


def test_what_cannot_be_started_now_waits_and_the_next_goes_first():
    schedule = Schedule(verdict())
    first = schedule.take()
    schedule.back(first.id)
    assert schedule.take(without={first.id}).id != first.id
    assert schedule.take() == first


@given(st.integers(1, 4), st.integers(1, 5), st.booleans(), st.randoms())
def test_every_task_is_run_once_and_never_before_its_needs_whatever_fails(
    jobs, seeds, known, chance
):
    schedule, seen = Schedule(verdict(seeds, known=known)), []
    while not schedule.is_over:
        for one in schedule.unwanted():
            schedule.end(one, well=False)
        while len(schedule.running) < jobs and (taken := schedule.take()):
            assert all(schedule.ended[need] for need in taken.needs)
            seen.append(taken.id)
        if schedule.running:
            one = chance.choice(sorted(schedule.running))
            schedule.end(one, well=chance.random() < 0.9)
    assert len(seen) == len(set(seen))
    if not schedule.has_failed:
        assert set(seen) == set(schedule.tasks)
