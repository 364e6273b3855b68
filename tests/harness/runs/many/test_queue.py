"""Which task comes next, and what becomes of those that wait for one that fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.many.queue import Planned, Queue
from harness.runs.many.tasks import Task, TaskResult

GIB = 2**30


def planned(name, seconds=None, track="robot", memory_bytes=0):
    task = Task(contribution=name, track=track)
    return Planned(task, seeds=1, seconds=seconds, memory_bytes=memory_bytes)


def result(one, status="ok"):
    return TaskResult(contribution=one.task.contribution, track=one.task.track, status=status)


def names(queue):
    return [one.task.contribution for one in queue.waiting]


def test_the_unknown_come_first_then_the_longest():
    queue = Queue([planned("Short", 5), planned("Long", 50), planned("New"), planned("Middle", 20)])
    assert names(queue) == ["New", "Long", "Middle", "Short"]


def test_nobody_is_run_before_the_reference_of_its_track_has_ended():
    reference, other = planned("reference", 1), planned("Idea", 99)
    elsewhere = planned("Idea", 10, track="binding")
    queue = Queue([other, reference, elsewhere])
    assert queue.take() == reference
    assert queue.take() == elsewhere  # there nobody waits for a reference
    assert queue.take() is None
    assert queue.ended(reference, result(reference)) == []
    assert queue.take() == other


def test_without_its_reference_a_track_is_not_run_and_each_of_it_says_so():
    reference, one, two = planned("reference"), planned("A"), planned("B")
    elsewhere = planned("A", track="binding")
    queue = Queue([reference, one, two, elsewhere])
    queue.take()
    lost = queue.ended(reference, result(reference, "failed"))
    assert {(found.contribution, found.status) for found in lost} == {
        ("A", "not run"),
        ("B", "not run"),
    }
    assert "robot ended with failed" in lost[0].error.what
    assert queue.waiting == (elsewhere,)


def test_what_does_not_fit_into_memory_waits_and_a_smaller_one_goes_first():
    big, small = planned("Big", 9, memory_bytes=6 * GIB), planned("Small", 1, memory_bytes=GIB)
    queue = Queue([big, small])
    first = planned("First", memory_bytes=GIB)
    queue.again(first)
    assert queue.take(8 * GIB) == first
    assert queue.take(5 * GIB) == small
    assert queue.take(4 * GIB) is None


def test_the_largest_runs_alone_where_nothing_ever_fits():
    queue = Queue([planned("Big", memory_bytes=100 * GIB), planned("Small", memory_bytes=GIB)])
    queue.take(GIB)
    assert queue.take(GIB) is not None  # whichever is left: it never waits for ever
    assert queue.waiting == ()


def test_a_task_whose_worker_died_comes_again():
    reference, other = planned("reference"), planned("Idea")
    queue = Queue([reference, other])
    assert queue.take() == reference
    queue.again(reference)
    assert queue.take() == reference
    assert queue.take() is None


tasks = st.builds(
    planned,
    st.sampled_from(["reference", *"ABCDEFG"]),
    st.none() | st.floats(0, 1e6),
    st.sampled_from(["robot", "binding"]),
    st.integers(0, 4 * GIB),
)


@given(st.lists(tasks, unique_by=lambda one: one.task.label), st.integers(1, 4), st.randoms())
def test_every_task_is_run_once_whatever_the_order_of_their_ends(all_of_them, most, chance):
    queue, running, seen = Queue(all_of_them), [], []
    while queue.waiting or running:
        while len(running) < most:
            free = 4 * GIB - sum(one.memory_bytes for one in running)
            following = queue.take(free)
            if following is None:
                break
            running.append(following)
        assert running, "nothing runs and something waits: a deadlock"
        one = running.pop(chance.randrange(len(running)))
        seen.append(one.task.label)
        assert queue.ended(one, result(one)) == []
    assert sorted(seen) == sorted(one.task.label for one in all_of_them)


def test_results_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="status"):
        TaskResult.model_validate_json('{"contribution": "A", "track": "robot", "status": "fine"}')
