"""Who hears how a board gets on."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.runs.many.queue import Planned
from harness.runs.many.store import store
from harness.runs.many.tasks import Task, TaskResult


class Listener(Protocol):
    """Who wants to know how the board gets on."""

    def started(self, planned: Planned) -> None:
        """A task has begun."""

    def news(self, task: Task, done: float, text: str) -> None:
        """One of a task's processes has come this far (0 to 1)."""

    def lost(self, planned: Planned) -> None:
        """A task's worker died; it waits for another."""

    def ended(self, result: TaskResult) -> None:
        """A task has ended, or will never be run."""

    def tick(self) -> None:
        """Time goes by."""


class Storing:
    """Stores each row when it arrives, then tells another listener.

    Args:
        listener: Who else wants to hear.
        folder: Where rows go, ``folder/TRACK/NAME.json``.
    """

    def __init__(self, listener: Listener, folder: Path) -> None:
        self._listener, self._folder = listener, folder

    def started(self, planned: Planned) -> None:
        """Pass it on."""
        self._listener.started(planned)

    def news(self, task: Task, done: float, text: str) -> None:
        """Pass it on."""
        self._listener.news(task, done, text)

    def lost(self, planned: Planned) -> None:
        """Pass it on."""
        self._listener.lost(planned)

    def ended(self, result: TaskResult) -> None:
        """Store the row, if there is one, and pass it on."""
        store(result, self._folder)
        self._listener.ended(result)

    def tick(self) -> None:
        """Pass it on."""
        self._listener.tick()
