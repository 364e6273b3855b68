"""Show progress: bars with time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

# Without a terminal a line is printed each time a task has come this much further.
PLAIN_STEP = 0.25


class Progress(Protocol):
    """What the pipeline tells about its tasks; each task is known by its label."""

    def update(self, label: str, done: float, text: str) -> None:
        """Report that a task has reached the share ``done`` (0 to 1) and does ``text`` now."""

    def finish(self, label: str, *, ok: bool) -> None:
        """Report that a task has ended."""

    def __enter__(self) -> Self:
        """Start showing."""

    def __exit__(self, *error: object) -> None:
        """Stop showing."""


class NothingToClose:
    """Enters and leaves without doing anything: what writes lines has nothing to put back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None


def create_progress(console: Console) -> Progress:
    """Return the form of progress that suits where the output goes."""
    return BarProgress(console) if console.is_terminal else PlainProgress(console)


class _TimeLeft(TextColumn):
    """Time left, from the share done since the task started: steady even with few updates."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: object) -> Text:
        """Return ``0:42 left``, or nothing while it cannot be known."""
        completed = getattr(task, "completed", 0.0)
        elapsed = getattr(task, "elapsed", None) or 0.0
        if not 0.02 < completed < 1.0:
            return Text("")
        left = int(elapsed / completed * (1 - completed))
        return Text(f"{left // 60}:{left % 60:02d} left", style="cyan")


class BarProgress:
    """One bar per task, with what it does now and the time left."""

    def __init__(self, console: Console) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._bars = RichProgress(
            TextColumn("[bold]{task.fields[label]}", markup=True),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            _TimeLeft(),
            # A stranger's process chooses this text: shown as it is, never read as markup.
            TextColumn("{task.description}", markup=False),
            console=console,
        )

    def update(self, label: str, done: float, text: str) -> None:
        """Move a task's bar, adding the task at its first news."""
        if label not in self._tasks:
            self._tasks[label] = self._bars.add_task(text, total=1.0, label=label)
        self._bars.update(self._tasks[label], completed=done, description=text)

    def finish(self, label: str, *, ok: bool) -> None:
        """Fill the bar, or leave it where the task failed."""
        if label in self._tasks:
            text = "done" if ok else "failed"
            completed = 1.0 if ok else None
            self._bars.update(self._tasks[label], completed=completed, description=text)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()


class PlainProgress(NothingToClose):
    """A line now and then, for logs and CI."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, float] = {}
        self._started: dict[str, float] = {}

    def update(self, label: str, done: float, text: str) -> None:
        """Print a line when the task has come a good piece further."""
        self._started.setdefault(label, time.monotonic())
        if done - self._shown.get(label, -1.0) < PLAIN_STEP:
            return
        self._shown[label] = done
        elapsed = time.monotonic() - self._started[label]
        left = f", about {elapsed / done * (1 - done):.0f} s left" if done > 0.1 else ""
        self._console.print(f"{label}: {text} ({done:.0%}{left})", markup=False, highlight=False)

    def finish(self, label: str, *, ok: bool) -> None:
        """Print how the task ended."""
        elapsed = time.monotonic() - self._started.get(label, time.monotonic())
        word = "done" if ok else "failed"
        self._console.print(f"{label}: {word} after {elapsed:.0f} s", markup=False, highlight=False)
