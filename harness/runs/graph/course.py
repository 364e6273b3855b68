"""What one run asks for, part by part: a generator that yields tasks and is told how they ended.

So the text of a run reads from top to bottom, and many runs share one pool all the same: while one
waits for its trainings, the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from inspect import GEN_CREATED, getgeneratorstate
from typing import Generic, TypeVar

from harness.runs.graph.schedule import Schedule
from harness.runs.graph.task import Task
from toolkit.core.progress import Progress

T = TypeVar("T")

# Yields the tasks of a graph and gets back whether all of them ended well. None: another process is
# at something that it needs; it is asked again a little later.
Course = Generator[Sequence[Task] | None, bool, T]


def tasks_alone(tasks: Sequence[Task]) -> Course[bool]:
    """Return the course of a graph with nothing before it or after it."""
    return (yield tasks)


@dataclass(eq=False)
class Going(Generic[T]):
    """A course under way.

    Args:
        course: What it asks for.
        progress: Hears what its tasks do.
    """

    course: Course[T]
    progress: Progress
    schedule: Schedule = field(default_factory=Schedule)
    result: T | None = None
    fault: Exception | None = None
    ended: bool = False
    seconds: float = 0.0  # its tasks' and its own, one after the other
    ask_at: float = 0.0  # not before, by the monotonic clock

    def go_on(self, busy_s: float) -> None:
        """Tell it how its tasks ended; take those that it asks for next, or its result.

        Args:
            busy_s: For how long it is left alone when another process is at what it needs.
        """
        # One that was left alone had no tasks: it is told the same again and tries again.
        well, new = not self.schedule.has_failed, getgeneratorstate(self.course) == GEN_CREATED
        self._step(lambda: next(self.course) if new else self.course.send(well), busy_s)

    def fail(self, error: Exception, busy_s: float) -> None:
        """Tell it of a fault of the hub's own in one of its tasks: it may make a row of that."""
        self._step(lambda: self.course.throw(error), busy_s)

    def _step(self, step: Callable[[], Sequence[Task] | None], busy_s: float) -> None:
        began = time.monotonic()
        try:
            asked = step()
            self.ask_at = 0.0 if asked is not None else time.monotonic() + busy_s
            self.schedule = Schedule(asked or ())
        except StopIteration as end:
            self.result, self.ended = end.value, True
        except Exception as fault:
            self.fault, self.ended = fault, True
        self.seconds += time.monotonic() - began

    def outcome(self) -> T:
        """Return the result of a course that has ended.

        Raises:
            Exception: Whatever the course raised.
        """
        if self.fault is not None:
            raise self.fault
        return self.result  # type: ignore[return-value]  # it has ended without a fault
