"""Which task comes next: references first, then those without an estimate, then the longest.

The longest first, because a long one that starts last delays the end; the unknown before
them, because they might be the longest. What is compared with a reference waits until that is
trained, so it is trained only once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.runs.many.tasks import Task, TaskResult, not_run


@dataclass(frozen=True)
class Planned:
    """A task with what is known about it beforehand."""

    task: Task
    seeds: int  # how many
    seconds: float | None = None  # None: unknown
    memory_bytes: int = 0


def urgency(planned: Planned) -> tuple[bool, bool, float, str]:
    """Return a sort key: the most urgent first, the same on every machine."""
    task, seconds = planned.task, planned.seconds
    return (not task.is_reference, seconds is not None, -(seconds or 0.0), task.label)


class Queue:
    """The tasks that wait."""

    def __init__(self, planned: Sequence[Planned]) -> None:
        self._waiting = sorted(planned, key=urgency)
        self._references = {p.task.track for p in planned if p.task.is_reference}
        self._running: set[str] = set()

    @property
    def waiting(self) -> tuple[Planned, ...]:
        """What has not begun, the most urgent first."""
        return tuple(self._waiting)

    def take(self, free_bytes: float = float("inf")) -> Planned | None:
        """Return the next task that may begin, or None when all of them have to wait.

        Args:
            free_bytes: Memory that may be promised; with nothing running it is not asked about.
        """
        for number, planned in enumerate(self._waiting):
            ready = planned.task.is_reference or planned.task.track not in self._references
            fits = planned.memory_bytes <= free_bytes or not self._running
            if ready and fits:
                self._running.add(planned.task.label)
                return self._waiting.pop(number)
        return None

    def ended(self, planned: Planned, result: TaskResult) -> list[TaskResult]:
        """Note that a task has ended.

        Returns:
            Results of tasks that will never run: those of a track whose reference failed.
        """
        self._running.discard(planned.task.label)
        if not planned.task.is_reference:
            return []
        self._references.discard(planned.task.track)
        if result.status == "ok":
            return []
        why = f"The reference on {planned.task.track} ended with {result.status}."
        lost = [one for one in self._waiting if one.task.track == planned.task.track]
        self._waiting = [one for one in self._waiting if one.task.track != planned.task.track]
        return [not_run(one.task, why) for one in lost]

    def again(self, planned: Planned) -> None:
        """Put a task back whose worker died; the reference among them is waited for anew."""
        self._running.discard(planned.task.label)
        self._waiting = sorted([*self._waiting, planned], key=urgency)
