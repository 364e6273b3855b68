"""This machine as an executor: tasks of a graph side by side, as many as cores and memory carry.

The one place that decides when a child starts and ends. On any exception (Ctrl-C too) none is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import psutil

from harness.protocol.machine import usable_cores
from harness.runs.graph.durations import keep_seconds
from harness.runs.graph.schedule import Schedule
from harness.runs.graph.simulation import seconds_left
from harness.runs.graph.task import Task
from harness.sandbox.child import POLL_S, Child
from toolkit.core.errors import HubError
from toolkit.core.locks import Busy, held
from toolkit.core.progress import Progress

KEPT_FREE = 0.1  # of the memory, for everything else on the machine
BUSY_S = 1.0  # until a task that another process does is looked at again
NEWS_S = 1.0
LABEL = "all"  # of the line about the whole graph


@dataclass
class Running:
    """A task with its child and its lock."""

    task: Task
    lock: ExitStack
    child: Child[Any]
    began: float = field(default_factory=time.monotonic)


class Pool:
    """Carries out graphs.

    Args:
        jobs: Tasks at once; by default as many as there are cores.
        progress: Hears what runs, what waits and how long it will take; None: it is not told.
        tick: Called again and again while time goes by.
    """

    def __init__(
        self,
        jobs: int | None = None,
        progress: Progress | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.schedule = Schedule()
        self._jobs = jobs or usable_cores()
        self._progress, self._tick = progress, tick
        self._memory = psutil.virtual_memory().available * (1 - KEPT_FREE)
        self._running: dict[str, Running] = {}
        self.faults: dict[str, HubError] = {}
        self._busy: dict[str, float] = {}  # what other processes do -> when to look again
        self._told = self._total = 0.0

    def add(self, tasks: Iterable[Task]) -> None:
        """Add tasks; those whose results lie there already have ended."""
        new = [task for task in tasks if task.id not in self.schedule.tasks]
        self.schedule.add(new)
        for task in new:
            ending = task.work.known() if task.work is not None else None
            if ending is not None:
                self.schedule.end(task.id, well=ending == "well")

    def run(self) -> dict[str, HubError]:
        """Carry out everything that is wanted; return the faults of goals by their ids."""
        faults: dict[str, HubError] = {}
        try:
            while True:
                while ready := self.schedule.ready_goals():
                    for task in ready:
                        self._conclude(task, faults)
                if self.schedule.is_over:
                    return faults
                for task in self.schedule.unwanted():
                    self._stop(self._running[task.id])
                self._fill()
                ended = [one for one in self._running.values() if one.child.poll(one.task.progress)]
                for one in ended:
                    self._end(one)
                self._tell()
                self._tick()
                if not ended:
                    time.sleep(POLL_S)
        finally:
            for one in list(self._running.values()):
                self._stop(one)

    def _conclude(self, task: Task, faults: dict[str, HubError]) -> None:
        """Conclude a goal; others do not care whether that works."""
        lacking = [self.faults[one] for one in (*task.heeds, *task.needs) if one in self.faults]
        try:
            more: Sequence[Task] = task.goal.conclude(lacking) if task.goal is not None else ()
        except HubError as error:
            faults[task.id], more = error, ()
        self.schedule.end(task.id, well=task.id not in faults)
        self.add(more)

    def _fill(self) -> None:
        """Start what can be started."""
        now = time.monotonic()
        busy = {one for one, until in self._busy.items() if until > now}
        while len(self._running) < self._jobs:
            promised = sum(one.task.memory_bytes for one in self._running.values())
            task = self.schedule.take(self._memory - promised, busy)
            if task is None:
                return
            if not self._start(task):
                busy.add(task.id)

    def _start(self, task: Task) -> bool:
        """Start a task, unless another process does it right now."""
        if task.work is None:
            raise HubError(f"The task {task.id} has nothing to do.")
        lock = ExitStack()
        try:
            task.work.begin()
            lock.enter_context(held(task.work.folder))
            ending = task.work.known()  # meanwhile another process may have done it
            if ending is None:
                self._running[task.id] = Running(task, lock, start_child(task))
                return True
        except Busy as owner:
            self._busy[task.id] = time.monotonic() + BUSY_S
            self.schedule.back(task.id)
            task.progress.update(task.id, 0.0, f"waiting for {owner}")
            return False
        except HubError as error:
            self.faults[task.id] = error
            ending = "badly"
        except BaseException:
            lock.close()
            raise
        lock.close()
        self.schedule.end(task.id, well=ending == "well")
        return True

    def _end(self, one: Running) -> None:
        """Take what a child left; another may have to go on with it."""
        task, work = one.task, one.task.work
        ending = work.read(one.child) if work is not None else "badly"
        if ending == "again":
            one.child = start_child(task)
            return
        if ending == "well" and task.name:
            keep_seconds(task.name, time.monotonic() - one.began)
        self._stop(one, well=ending == "well")

    def _stop(self, one: Running, *, well: bool = False) -> None:
        """End a task's child, if it has not ended, and let go of its folder."""
        one.child.kill()
        del self._running[one.task.id]
        one.lock.close()
        self.schedule.end(one.task.id, well=well)

    def _tell(self) -> None:
        """Say how far the whole graph is."""
        now = time.monotonic()
        if self._progress is None or now - self._told < NEWS_S:
            return
        self._told = now
        spent = {one: now - running.began for one, running in self._running.items()}
        left = seconds_left(self.schedule, self._jobs, self._memory, spent)
        waiting = len([task for task in self.schedule.waiting() if task.kind != "row"])
        self._total = max(self._total, left)
        done = 1 - left / self._total if self._total else 1.0
        text = f"{len(self._running)} run, {waiting} wait, about {clock(left)} left"
        self._progress.update(LABEL, done, text)


def carry_out(tasks: Sequence[Task], jobs: int | None, progress: Progress | None = None) -> None:
    """Carry out tasks; each is tried, whatever becomes of the others.

    Raises:
        HubError: One of them could not even be started.
    """
    pool = Pool(jobs, progress)
    pool.add([*tasks, Task("", "row", heeds=tuple(task.id for task in tasks))])
    pool.run()
    for fault in pool.faults.values():
        raise fault


def clock(seconds: float) -> str:
    """Return ``1:02:03``, or ``2:03`` below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def start_child(task: Task) -> Child[Any]:
    """Start the next child of a task."""
    if task.work is None:
        raise HubError(f"The task {task.id} has nothing to do.")
    order = task.work.order()
    where = order.label, order.module, order.job, order.out, order.timeout_s
    return Child(*where, order.read_answer)
