"""One task of a graph.

A task *describes* a child process and *reads* what that left; the pool starts, watches and ends it.
Its id is its folder in runs/, and a part of that is the key: the hash of all that the task depends
on. So what several runs need is one task, and what lies in its folder already is not done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from harness.sandbox.child import Child, Order
from toolkit.core.errors import HubError
from toolkit.core.progress import NothingToClose, Progress

Kind = Literal["gate", "train", "base", "score", "row"]

# How a child left its task: to be done again means that another child goes on with what is left.
Ending = Literal["well", "badly", "again"]


class Work(Protocol):
    """What a task does in child processes."""

    @property
    def folder(self) -> Path:
        """Where it leaves its files; locked while it runs."""

    def begin(self) -> None:
        """Prepare, before it is known whether anything is to be done."""

    def known(self) -> Ending | None:
        """Take what it would find from its folder, if that is there and whole; say how it ended."""

    def order(self) -> Order[Any]:
        """Describe the next child."""

    def read(self, child: Child[Any]) -> Ending:
        """Take what a child left."""


class Goal(Protocol):
    """What the tasks of a run are for: a row. It is made by the parent, in no time."""

    def conclude(self, faults: Sequence[HubError]) -> Sequence[Task]:
        """Say how it ended, whatever became of what it needs; or return what else it needs.

        Args:
            faults: Why some of that could not even be started.

        Returns:
            Tasks that are added to the graph, the goal's own next one among them.

        Raises:
            HubError: Nothing can be said; other goals go on.
        """


class Deaf(NothingToClose):
    """A progress that shows nothing."""

    def update(self, label: str, done: float, text: str) -> None:
        """Show nothing."""

    def finish(self, label: str, *, ok: bool) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Task:
    """One task.

    Args:
        id: Its folder, relative to runs/; equal ids are one task.
        kind: What it is; a ``row`` is a goal.
        needs: Tasks whose results it reads; it starts when all have ended well.
        heeds: For a goal: tasks whose end it waits for even when another need has failed.
        seconds: What it will probably take, on one core.
        memory_bytes: What is kept free for it.
        name: Under which its seconds are kept; none: they are not.
        progress: Hears how far it is.
        work: What it does; None for a goal.
        goal: What is concluded; None for all others.
    """

    id: str
    kind: Kind
    needs: tuple[str, ...] = ()
    heeds: tuple[str, ...] = ()
    seconds: float = 0.0
    memory_bytes: int = 0
    name: str = ""
    progress: Progress = field(default_factory=Deaf)
    work: Work | None = None
    goal: Goal | None = None
