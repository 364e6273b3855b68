"""The same schedule on a clock that costs nothing: how long will it take?"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping

from harness.runs.graph.schedule import Schedule
from harness.runs.graph.task import Task


def estimated(task: Task) -> float:
    """Return what a task was expected to take before anything ran."""
    return task.seconds


def seconds_left(
    schedule: Schedule,
    jobs: int,
    memory_bytes: float = float("inf"),
    running: Mapping[str, float] | None = None,
    seconds: Callable[[Task], float] = estimated,
) -> float:
    """Return how long it takes until everything has ended, if all goes well.

    Args:
        schedule: As it is now; it is not changed.
        jobs: How many tasks run at once.
        memory_bytes: What they may use together.
        running: What those that run have still to go, seconds; by default all of it.
        seconds: What a task that waits will take.
    """
    ahead, now, running = schedule.copy(), 0.0, running or {}
    ends = [(running.get(one, seconds(ahead.tasks[one])), one) for one in ahead.running]
    heapq.heapify(ends)
    while True:
        while len(ends) < jobs:
            promised = sum(ahead.tasks[one].memory_bytes for one in ahead.running)
            # With nothing running the largest may start, too: else it would never.
            task = ahead.take(memory_bytes - promised if ahead.running else float("inf"))
            if task is None:
                break
            heapq.heappush(ends, (now + seconds(task), task.id))
        if not ends:
            return now
        now, one = heapq.heappop(ends)
        ahead.end(one, well=True)
