"""The same schedule on a clock that costs nothing: how long will it take?"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from harness.runs.graph.schedule import Schedule


def seconds_left(
    schedule: Schedule,
    jobs: int,
    memory_bytes: float = float("inf"),
    spent: Mapping[str, float] | None = None,
) -> float:
    """Return how long it takes until everything has ended, if all goes well.

    Args:
        schedule: As it is now; it is not changed.
        jobs: How many tasks run at once.
        memory_bytes: What they may use together.
        spent: How long those that run have been running, seconds.
    """
    ahead, now, spent = schedule.copy(), 0.0, spent or {}
    ends = [
        (max(0.0, ahead.tasks[one].seconds - spent.get(one, 0.0)), one) for one in ahead.running
    ]
    heapq.heapify(ends)
    while True:
        while len(ends) < jobs:
            promised = sum(ahead.tasks[one].memory_bytes for one in ahead.running)
            # With nothing running the largest may start, too: else it would never.
            task = ahead.take(memory_bytes - promised if ahead.running else float("inf"))
            if task is None:
                break
            heapq.heappush(ends, (now + task.seconds, task.id))
        if not ends:
            return now
        now, one = heapq.heappop(ends)
        ahead.end(one, well=True)
