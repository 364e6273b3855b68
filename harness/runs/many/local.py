"""This machine as an executor: the tasks of all runs in one graph, side by side."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from harness import paths
from harness.contributions import registry
from harness.protocol.row import ErrorReport
from harness.protocol.track import load_track
from harness.runs.folders import SHEET_FILE
from harness.runs.graph.pool import Pool
from harness.runs.graph.task import Task as GraphTask
from harness.runs.many.listener import Listener
from harness.runs.many.queue import Planned, urgency
from harness.runs.many.tasks import Task, TaskResult, not_run
from harness.runs.pipeline import Graph, Options, Run, Way
from harness.sandbox.choose import choose
from harness.sandbox.layers import WANTED
from harness.sandbox.trust import require_trust
from toolkit.core.errors import HubError
from toolkit.core.progress import NothingToClose


class News(NothingToClose):
    """Passes what a run's tasks tell on to who listens to the board."""

    def __init__(self, planned: Planned, listener: Listener) -> None:
        self.began: float | None = None
        self.over = False  # what it shares with others may go on
        self._planned, self._listener = planned, listener

    def update(self, label: str, done: float, text: str) -> None:
        """Tell how far one of its tasks has come; the first time, that it has begun."""
        if self.over:
            return
        if self.began is None:
            self.began = time.monotonic()
            self._listener.started(self._planned)
        self._listener.news(self._planned.task, done, f"{label}: {text}")

    def finish(self, label: str, *, ok: bool) -> None:
        """Tell that one of its tasks has ended."""
        self.update(label, 1.0, "done" if ok else "failed")


@dataclass
class Board:
    """What the runs of a board share."""

    listener: Listener
    graph: Graph = field(default_factory=Graph)
    results: list[TaskResult] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)  # track -> why it is not run

    def end(self, task: Task, result: TaskResult) -> None:
        """Keep a result; without its reference a track is not run."""
        if task.is_reference and result.status != "ok":
            self.lost[task.track] = f"The reference on {task.track} ended with {result.status}."
        self.results.append(result)
        self.listener.ended(result)


class OneOfMany:
    """A run of a board: the goal of its tasks."""

    def __init__(self, planned: Planned, board: Board) -> None:
        self._task, self._board = planned.task, board
        self._news = News(planned, board.listener)
        self._way: Way | None = None

    def tasks(self) -> list[GraphTask]:
        """Return what it needs; a fault is a result, too."""
        task = self._task
        try:
            contribution, track = registry.load_any(task.contribution), load_track(task.track)
            require_trust(contribution, choose(task.isolation), trusted=task.trust)
            self._way = Way(contribution, track, options_of(task), self._news, self._board.graph)
            return self._own(self._way.tasks())
        except HubError as error:
            self._board.end(task, failed(task, error))
            return []

    def conclude(self, faults: Sequence[HubError]) -> Sequence[GraphTask]:
        """Conclude the run, or return what else it needs."""
        task, way, began = self._task, self._way, self._news.began
        try:
            if way is None:
                raise HubError(f"{task.label} was never planned.")
            if task.track in self._board.lost:
                result = not_run(task, self._board.lost[task.track])
            elif more := way.conclude(faults):
                return self._own(more)
            else:
                result = result_of(task, way.finished)
        except HubError as error:
            result = failed(task, error)
        self.give_up()
        self._news.over = True
        seconds = time.monotonic() - began if began is not None else 0.0
        self._board.end(task, result.model_copy(update={"seconds": seconds}))
        return ()

    def give_up(self) -> None:
        """Let go of the run's folder."""
        if self._way is not None:
            self._way.locked.close()

    def _own(self, tasks: Sequence[GraphTask]) -> list[GraphTask]:
        return [replace(one, goal=self) if one.kind == "row" else one for one in tasks]


def run_local(
    planned: Sequence[Planned], listener: Listener, jobs: int | None = None
) -> list[TaskResult]:
    """Carry out runs and return their results in the order in which they ended.

    Args:
        planned: The runs, each at most once; a track's reference before what it is compared with.
        listener: Hears of everything as it happens.
        jobs: Tasks at once; by default as many as there are cores.

    Returns:
        One result per run: a failure is a result too, and does not stop the others. On Ctrl-C
        every process is ended before the exception goes on.
    """
    board, pool = Board(listener), Pool(jobs, tick=listener.tick)
    for layer in {choose(one.task.isolation) for one in planned}:
        os.environ[WANTED] = layer  # every child of this board, the scorer too
    runs = [OneOfMany(one, board) for one in sorted(planned, key=urgency)]
    try:
        for run in runs:
            pool.add(run.tasks())
        pool.run()
    finally:
        for run in runs:
            run.give_up()
    return board.results


def options_of(task: Task, jobs: int | None = None) -> Options:
    """Return what a task says about its run."""
    return Options(
        seeds=task.seeds,
        device=task.device,
        fresh=task.fresh,
        skip_gate=task.skip_gate,
        thorough=task.thorough,
        jobs=jobs,
    )


def failed(task: Task, error: HubError) -> TaskResult:
    """Return the result of a run that ended without a row."""
    kind = type(error).__name__
    return TaskResult(
        contribution=task.contribution,
        track=task.track,
        status="error",
        error=ErrorReport(kind=kind, what=error.what, where=error.where, fix=error.fix),
    )


def result_of(task: Task, finished: Run) -> TaskResult:
    """Return the result of a run that has a row."""
    sheet = finished.folder / SHEET_FILE
    return TaskResult(
        contribution=task.contribution,
        track=task.track,
        status=finished.row.status,
        reused=finished.reused,
        row=finished.row,
        error=finished.row.error,
        folder=finished.folder.relative_to(paths.RUNS).as_posix(),
        sheet=base64.b64encode(sheet.read_bytes()) if sheet.is_file() else None,
    )
