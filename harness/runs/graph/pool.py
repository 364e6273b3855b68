"""This machine as an executor: tasks of one run or many, as many at once as cores and memory carry.

On any exception (Ctrl-C too) no process is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psutil

from harness.protocol.machine import usable_cores
from harness.runs.graph.course import Course, Going, tasks_alone
from harness.runs.graph.durations import clock, keep_seconds
from harness.runs.graph.foreseen import Foreseen, Heard
from harness.runs.graph.schedule import Schedule
from harness.runs.graph.simulation import seconds_left
from harness.runs.graph.task import AlreadyDone, Followed, Task
from harness.sandbox.child import POLL_S
from toolkit.core.progress import Progress

T = TypeVar("T")

KEPT_FREE = 0.1  # of the memory, for everything else on the machine
BUSY_S = 1.0  # until what another process is at is tried again
NEWS_S = 1.0
LABEL = "the run"  # of the line about the whole graph
# Two trainings share a graphics card's memory and clock; more would only be in each other's way.
JOBS_ON_ONE_CARD = 2


def jobs_on(device: str) -> int:
    """Return how many tasks this machine carries at once, as far as its processors go."""
    return usable_cores() if device == "cpu" else JOBS_ON_ONE_CARD


@dataclass(eq=False)
class Running:
    """A task that runs."""

    task: Task
    going: Going[Any]
    followed: Followed
    heard: Heard
    began: float = field(default_factory=time.monotonic)


class Pool:
    """Carries out courses.

    Args:
        jobs: Tasks at once, of all courses together; by default as many as there are cores.
    """

    def __init__(self, jobs: int | None = None) -> None:
        self._jobs = jobs or usable_cores()
        self._memory = psutil.virtual_memory().available * (1 - KEPT_FREE)
        self._open: list[Going[Any]] = []
        self._running: list[Running] = []
        # What other processes do -> when it is tried again.
        self._busy: dict[tuple[Going[Any], str], float] = {}
        self._took: dict[str, float] = {}
        self._told = time.monotonic()
        self._foreseen = Foreseen()
        self._total, self._of = 0.0, Schedule()

    def run(self, course: Course[T], progress: Progress) -> T:
        """Carry out one course and return its result; say meanwhile how far it is.

        Raises:
            Exception: Whatever the course raises.
        """
        going = Going(course, progress)
        courses = iter([going])
        self.run_all(lambda: next(courses, None), lambda _: None, lambda: self._tell(going))
        if len(going.schedule.tasks) > 1:
            progress.finish(LABEL, ok=not going.schedule.has_failed)
        return going.outcome()

    def run_tasks(self, tasks: Sequence[Task], progress: Progress) -> bool:
        """Carry out one graph; the first failure ends the rest. Tell whether all ended well."""
        return self.run(tasks_alone(tasks), progress)

    def run_each(self, courses: Iterable[Course[T]], progress: Progress) -> list[T]:
        """Carry out courses side by side; return their results in the order of the courses.

        Raises:
            Exception: What the first of them raises; the others are ended.
        """
        goings = [Going(course, progress) for course in courses]
        waiting = iter(goings)
        self.run_all(lambda: next(waiting, None), Going.outcome)
        return [going.outcome() for going in goings]

    def run_all(
        self,
        following: Callable[[], Going[T] | None],
        ended: Callable[[Going[T]], object],
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """Carry out courses until there are none left.

        Tasks of those that have begun go first; a further course begins when a core has nothing
        else to do.

        Args:
            following: Returns the course that may begin next, or None while none may.
            ended: Hears of each at its end; it has a ``result`` or a ``fault``.
            tick: Called a few times a second.
        """
        try:
            while self._advance(following, ended):
                tick()
                if not self._poll():
                    time.sleep(POLL_S)
        finally:
            for one in list(self._running):
                self._stop(one, well=False)
            for going in self._open:
                going.course.close()
            if self._took:
                keep_seconds(self._took)

    def _advance(
        self, following: Callable[[], Going[T] | None], ended: Callable[[Going[T]], object]
    ) -> bool:
        """Start what can be started; tell whether anything is left to wait for."""
        self._conclude(ended)
        while len(self._running) < self._jobs:
            if self._start_one():
                continue
            going = following()
            if going is None:
                break
            self._open.append(going)
            going.go_on(BUSY_S)
            self._conclude(ended)
        return bool(self._open)

    def _conclude(self, ended: Callable[[Going[T]], object]) -> None:
        """Let courses go on whose tasks have ended, and let go of those that are at their end."""
        for going in list(self._open):
            while going.schedule.is_over and not going.ended and going.ask_at <= time.monotonic():
                going.go_on(BUSY_S)
            if going.ended:
                self._open.remove(going)
                ended(going)
                continue
            unwanted = set(going.schedule.unwanted())
            for one in [one for one in self._running if one.going is going]:
                if one.task.id in unwanted:
                    self._stop(one, well=False)

    def _start_one(self) -> bool:
        """Start the most urgent task, of the earliest course that has one; tell whether it did."""
        now = time.monotonic()
        promised = sum(one.task.memory_bytes for one in self._running)
        free = self._memory - promised if self._running else float("inf")
        for going in self._open:
            busy = {one for one in going.schedule.tasks if self._busy.get((going, one), 0.0) > now}
            while (task := going.schedule.take(free, busy)) is not None:
                try:
                    followed = task.work.start()
                except Exception as error:
                    self._fail(going, task, error)
                    return True
                if followed is not None:
                    self._running.append(Running(task, going, followed, Heard(going.progress)))
                    return True
                going.schedule.back(task.id)
                self._busy[going, task.id] = now + BUSY_S
                busy.add(task.id)
        return False

    def _poll(self) -> bool:
        """Follow what runs; tell whether any of it has ended."""
        before = len(self._running)
        for one in list(self._running):
            if one not in self._running:
                continue  # it was stopped because another one of its course failed
            try:
                if one.followed.poll(one.heard):
                    self._end(one)
            except Exception as error:
                self._fail(one.going, one.task, error)
        return len(self._running) < before

    def _end(self, one: Running) -> None:
        """Take what a task left."""
        well = one.task.work.keep()
        seconds = time.monotonic() - one.began
        if not isinstance(one.followed, AlreadyDone):
            one.going.seconds += seconds
            self._foreseen.note(one.task, seconds)
            if well and one.task.name:
                self._took[one.task.name] = seconds
        self._stop(one, well=well)

    def _stop(self, one: Running, *, well: bool) -> None:
        """End what a task started, if that has not ended, and let go of what it held."""
        self._running.remove(one)
        one.followed.kill()
        one.task.work.close()
        one.going.schedule.end(one.task.id, well=well)

    def _fail(self, going: Going[Any], task: Task, error: Exception) -> None:
        """End a course's tasks, and tell it of a fault that is none of a child's."""
        for one in [one for one in self._running if one.going is going]:
            self._stop(one, well=False)
        task.work.close()
        going.fail(error, BUSY_S)

    def _tell(self, going: Going[Any]) -> None:
        """Say how far the graph of the only course is."""
        now, schedule = time.monotonic(), going.schedule
        if now - self._told < NEWS_S or len(schedule.tasks) < 2:
            return
        if schedule is not self._of:
            self._total, self._of = 0.0, schedule
        self._told = now
        running = [(one.task, now - one.began, one.heard.share) for one in self._running]
        self._foreseen.look(running)
        to_go = {task.id: self._foreseen.left(task, *rest) for task, *rest in running}
        left = seconds_left(schedule, self._jobs, self._memory, to_go, self._foreseen.seconds)
        self._total = max(self._total, left)
        text = f"{len(self._running)} run, {len(schedule.waiting())} wait, about {clock(left)} left"
        going.progress.update(LABEL, 1 - left / self._total if self._total else 1.0, text)
