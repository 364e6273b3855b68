"""This machine as an executor: all runs in one pool, seed beside seed and run beside run."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from harness.protocol.row import ErrorReport
from harness.runs.graph.course import Going
from harness.runs.graph.pool import Pool
from harness.runs.many.estimates import keep_seconds
from harness.runs.many.listener import Listener
from harness.runs.many.queue import Planned, Queue
from harness.runs.many.tasks import Task, TaskResult
from harness.sandbox.choose import choose
from harness.sandbox.layers import WANTED
from toolkit.core.progress import NothingToClose

TAIL_LINES = 20


def run_local(
    planned: Sequence[Planned], listener: Listener, jobs: int | None = None
) -> list[TaskResult]:
    """Carry out tasks and return their results in the order in which they ended.

    Args:
        planned: The tasks, each at most once, all in the same isolation.
        listener: Hears of everything as it happens.
        jobs: Trainings, gates and scorings at once; by default as many as there are cores.

    Returns:
        One result per task: a failure is a result too, and does not stop the others. On Ctrl-C
        every process is ended before the exception goes on.
    """
    # Here, so that a plan that is only listed loads none of what runs it.
    from harness.runs.many.task_course import task_course

    queue, results = Queue(planned), list[TaskResult]()
    begun: dict[Going[TaskResult], Planned] = {}
    (layer,) = {choose(one.task.isolation) for one in planned} or {choose(None)}
    os.environ[WANTED] = layer  # every child of these runs, the scorers too

    def following() -> Going[TaskResult] | None:
        one = queue.take()
        if one is None:
            return None
        listener.started(one)
        progress = News(one.task, listener)
        going = Going(task_course(one.task, progress), progress)
        begun[going] = one
        return going

    def ended(going: Going[TaskResult]) -> None:
        one = begun.pop(going)
        result = going.result or unforeseen(one.task, going.fault)
        result = result.model_copy(update={"seconds": going.seconds})
        keep_seconds([(one.task, one.seeds, result)])
        for found in (result, *queue.ended(one, result)):
            results.append(found)
            listener.ended(found)

    Pool(jobs).run_all(following, ended, listener.tick)
    return results


@dataclass(frozen=True)
class News(NothingToClose):
    """Passes on what the tasks of one run tell."""

    task: Task
    listener: Listener

    def update(self, label: str, done: float, text: str) -> None:
        """Tell how far one of the run's tasks has come."""
        self.listener.news(self.task, done, f"{label}: {text}")

    def finish(self, label: str, *, ok: bool) -> None:
        """Tell that one of the run's tasks has ended."""
        self.listener.news(self.task, 1.0, f"{label}: {'done' if ok else 'failed'}")


def unforeseen(task: Task, fault: Exception | None) -> TaskResult:
    """Describe a fault of the hub's own, with the end of where it was."""
    lines = traceback.format_exception(fault) if fault is not None else []
    tail = "".join(lines).splitlines()[-TAIL_LINES:]
    return TaskResult(
        contribution=task.contribution,
        track=task.track,
        status="error",
        error=ErrorReport(
            kind=type(fault).__name__,
            what=f"The hub itself failed: {fault!r}",
            fix="The end of its traceback follows. Run it alone to see the whole: "
            f"nox -s contribution -- {task.contribution} --track {task.track}",
            log_tail=tuple(tail),
        ),
    )
