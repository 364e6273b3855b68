"""This machine as an executor: tasks of a graph side by side, as many as cores and memory carry.

On any exception (Ctrl-C too) no process is left.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import psutil

from harness.protocol.machine import usable_cores
from harness.runs.graph.durations import clock, keep_seconds
from harness.runs.graph.schedule import Schedule
from harness.runs.graph.simulation import seconds_left
from harness.runs.graph.task import AlreadyDone, Followed, Task
from harness.sandbox.child import POLL_S
from toolkit.core.progress import Progress

KEPT_FREE = 0.1  # of the memory, for everything else on the machine
BUSY_S = 1.0  # until a task that another process is at is tried again
NEWS_S = 1.0
LABEL = "the run"  # of the line about the whole graph


@dataclass
class Running:
    """A task that runs."""

    task: Task
    followed: Followed
    began: float = field(default_factory=time.monotonic)


class Pool:
    """Carries out one graph.

    Args:
        tasks: Of the graph.
        progress: Hears what runs, what waits and how long it will take.
        jobs: Tasks at once; by default as many as there are cores.
    """

    def __init__(self, tasks: Iterable[Task], progress: Progress, jobs: int | None = None) -> None:
        self._schedule = Schedule(tasks)
        self._progress = progress
        self._jobs = jobs or usable_cores()
        self._memory = psutil.virtual_memory().available * (1 - KEPT_FREE)
        self._running: dict[str, Running] = {}
        self._busy: dict[str, float] = {}  # what other processes do -> when to try again
        self._took: dict[str, float] = {}
        self._told = time.monotonic()
        self._total = 0.0

    def run(self) -> bool:
        """Carry out the tasks; the first failure ends the others. Tell whether all ended well."""
        try:
            while not self._schedule.is_over:
                for unwanted in self._schedule.unwanted():
                    self._stop(self._running[unwanted], well=False)
                self._fill()
                ended = [
                    one for one in list(self._running.values()) if one.followed.poll(self._progress)
                ]
                for one in ended:
                    self._end(one)
                self._tell()
                if not ended:
                    time.sleep(POLL_S)
        finally:
            for one in list(self._running.values()):
                self._stop(one, well=False)
            if self._took:
                keep_seconds(self._took)
        if len(self._schedule.tasks) > 1:
            self._progress.finish(LABEL, ok=not self._schedule.has_failed)
        return not self._schedule.has_failed

    def _fill(self) -> None:
        """Start what can be started."""
        now = time.monotonic()
        busy = {one for one, until in self._busy.items() if until > now}
        while len(self._running) < self._jobs:
            promised = sum(one.task.memory_bytes for one in self._running.values())
            task = self._schedule.take(self._memory - promised, busy)
            if task is None:
                return
            followed = task.work.start()
            if followed is None:
                self._schedule.back(task.id)
                self._busy[task.id] = now + BUSY_S
                busy.add(task.id)
                continue
            self._running[task.id] = Running(task, followed)

    def _end(self, one: Running) -> None:
        """Take what a task left."""
        well = one.task.work.keep()
        done_here = not isinstance(one.followed, AlreadyDone)
        if well and one.task.name and done_here:
            self._took[one.task.name] = time.monotonic() - one.began
        self._stop(one, well=well)

    def _stop(self, one: Running, *, well: bool) -> None:
        """End what a task started, if that has not ended, and let go of what it held."""
        one.followed.kill()
        one.task.work.close()
        del self._running[one.task.id]
        self._schedule.end(one.task.id, well=well)

    def _tell(self) -> None:
        """Say how far the whole graph is."""
        now = time.monotonic()
        if now - self._told < NEWS_S or len(self._schedule.tasks) < 2:
            return
        self._told = now
        spent = {one: now - running.began for one, running in self._running.items()}
        left = seconds_left(self._schedule, self._jobs, self._memory, spent)
        self._total = max(self._total, left)
        waiting = len(self._schedule.waiting())
        text = f"{len(self._running)} run, {waiting} wait, about {clock(left)} left"
        self._progress.update(LABEL, 1 - left / self._total if self._total else 1.0, text)
