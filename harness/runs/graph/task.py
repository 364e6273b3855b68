"""One task of a graph: what it waits for, and what starts it and takes its result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from filelock import FileLock, Timeout

from toolkit.core.progress import Progress

Kind = Literal["gate", "train", "remake", "base", "score"]


class Followed(Protocol):
    """What runs, in a process of its own."""

    def poll(self, progress: Progress) -> bool:
        """Show news, and tell whether it has ended."""

    def kill(self) -> None:
        """End it, in whatever state it is."""


class Work(Protocol):
    """What a task does: it *describes* a child process and *takes* what that left."""

    def start(self) -> Followed | None:
        """Start it; None when another process of the hub is at it: to be tried again later."""

    def keep(self) -> bool:
        """Take what it left, and tell whether it ended well."""

    def close(self) -> None:
        """Let go of what it held, whatever happened."""


@dataclass(frozen=True)
class Task:
    """One task.

    Args:
        id: Its name in the graph.
        kind: What it is.
        work: What it does.
        needs: Tasks whose results it reads: it starts when all of them have ended well.
        seconds: What it will probably take on one core.
        memory_bytes: What is kept free for it.
        name: Under which its seconds are remembered.
        heeded: Its end is awaited even when another task has failed.
    """

    id: str
    kind: Kind
    work: Work
    needs: tuple[str, ...] = ()
    seconds: float = 0.0
    memory_bytes: int = 0
    name: str = ""
    heeded: bool = False


class AlreadyDone:
    """Stands for a process where another one has meanwhile done the work."""

    def poll(self, progress: Progress) -> bool:
        """Tell that it has ended."""
        return True

    def kill(self) -> None:
        """There is nothing to end."""


def lock_now(folder: Path) -> FileLock | None:
    """Make a task's folder and lock it for this process; None when another process is at it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{folder}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock
