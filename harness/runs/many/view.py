"""Show how a board gets on: a live table on a terminal, one line per event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.runs.graph.durations import clock
from harness.runs.many.estimates import typical
from harness.runs.many.queue import Planned, urgency
from harness.runs.many.tasks import Task, TaskResult
from toolkit.core.progress import NothingToClose

SHOWN_QUEUED = 6


def spoken(seconds: float) -> str:
    """Return ``40 s``, ``13 min`` or ``2 h 05 min``: for a sentence, where 13:04 could be hours."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class Account:
    """What is known about a board under way."""

    def __init__(self, planned: Sequence[Planned], jobs: int) -> None:
        self.total = len(planned)
        self.jobs = jobs
        self.waiting = {one.task.label: one for one in sorted(planned, key=urgency)}
        self.running: dict[str, tuple[Planned, float, str]] = {}  # label -> task, began, news
        self.ended: list[TaskResult] = []
        self._usual = typical(one.seconds for one in planned)
        self._took = self._expected = 0.0

    def start(self, planned: Planned) -> None:
        """Move a task from those that wait to those that run."""
        del self.waiting[planned.task.label]
        self.running[planned.task.label] = (planned, time.monotonic(), "starting")

    def hear(self, task: Task, text: str) -> None:
        """Keep the newest of a task."""
        planned, began, _ = self.running[task.label]
        self.running[task.label] = (planned, began, text)

    def lose(self, planned: Planned) -> None:
        """Move a task back to those that wait."""
        del self.running[planned.task.label]
        self.waiting[planned.task.label] = planned

    def end(self, result: TaskResult) -> None:
        """Move a task to those that ended."""
        self.ended.append(result)
        self.waiting.pop(result.label, None)
        planned, _, _ = self.running.pop(result.label, (None, 0.0, ""))
        if planned is not None and result.good and not result.reused:
            self._took += result.seconds
            self._expected += self._estimate(planned)

    @property
    def seconds_left(self) -> float | None:
        """What is left, in the measure of what has ended so far; None while it is unknown."""
        known = any(one.seconds is not None for one in self.waiting.values())
        if not self._expected and not known:
            return None
        now, pace = time.monotonic(), self._took / self._expected if self._expected else 1.0
        lasting = [
            max(0.0, pace * self._estimate(planned) - (now - began))
            for planned, began, _ in self.running.values()
        ]
        queued = [pace * self._estimate(one) for one in self.waiting.values()]
        return max([(sum(lasting) + sum(queued)) / self.jobs, *lasting, *queued])

    def _estimate(self, planned: Planned) -> float:
        return self._usual if planned.seconds is None else planned.seconds

    def summary(self) -> str:
        """Return numbers and the time left in one line."""
        bad = sum(not one.good for one in self.ended)
        left = self.seconds_left
        parts = [f"{len(self.ended)} of {self.total} done"]
        parts += [f"{bad} failed"] if bad else []
        parts += [f"{len(self.running)} running", f"{len(self.waiting)} queued"]
        if left is not None and (self.running or self.waiting):
            parts.append(f"about {clock(left)} left")
        return ", ".join(parts)


def outcome(result: TaskResult) -> str:
    """Return how a task ended, in a few words."""
    row = result.row
    if result.reused:
        return "nothing has changed"
    if row is not None and row.verdict is not None:
        points = f"gain {row.verdict.gain:.1%}"
        return (
            points if result.label.startswith("reference ") else f"{points}, {row.verdict.outcome}"
        )
    if result.error is not None:
        return f"{result.status}: {result.error.what}"
    return result.status


class PlainView(NothingToClose):
    """A line at each start and end, for logs and CI."""

    def __init__(self, console: Console, account: Account) -> None:
        self._console, self._account = console, account

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def started(self, planned: Planned) -> None:
        """Print that a task has begun."""
        self._account.start(planned)
        self._say(f"{planned.task.label}: started")

    def news(self, task: Task, done: float, text: str) -> None:
        """Keep quiet: a board has too much of it."""
        self._account.hear(task, text)

    def lost(self, planned: Planned) -> None:
        """Print that a task's worker died."""
        self._account.lose(planned)
        self._say(f"{planned.task.label}: its worker died; it is sent to another")

    def ended(self, result: TaskResult) -> None:
        """Print how a task ended, and how far the board is."""
        self._account.end(result)
        took = f" after {clock(result.seconds)}" if result.seconds else ""
        self._say(f"{result.label}: {outcome(result)}{took} ({self._account.summary()})")

    def tick(self) -> None:
        """Keep quiet."""

    def __enter__(self) -> Self:
        self._say(self._account.summary())
        return self


class LiveView(PlainView):
    """A table of what runs and what comes next; what has ended scrolls away above it."""

    def __init__(self, console: Console, account: Account) -> None:
        super().__init__(console, account)
        self._live = Live(self.table(), console=console, refresh_per_second=4, transient=True)

    def table(self) -> Group:
        """Return the table as it is now."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
        for heading in ("running", "on", "since"):
            table.add_column(heading, no_wrap=True)
        table.add_column("now", no_wrap=True, ratio=1)
        now = time.monotonic()
        for planned, began, text in self._account.running.values():
            task = planned.task
            since = clock(now - began)
            if planned.seconds is not None:
                since += f" of {clock(planned.seconds)}"
            # A stranger's process chooses the text: shown as it is, never read as markup.
            table.add_row(Text(task.contribution), Text(task.track), since, Text(text))
        waiting = [one.task.label for one in self._account.waiting.values()]
        more = f" and {len(waiting) - SHOWN_QUEUED} more" if len(waiting) > SHOWN_QUEUED else ""
        queued = f"next: {', '.join(waiting[:SHOWN_QUEUED])}{more}" if waiting else ""
        return Group(table, Text(queued, style="dim"), Text(self._account.summary(), style="bold"))

    def started(self, planned: Planned) -> None:
        """Add a line to the table."""
        self._account.start(planned)
        self.tick()

    def tick(self) -> None:
        """Draw the table anew."""
        self._live.update(self.table())

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()


def create_view(console: Console, account: Account) -> PlainView:
    """Return the form that suits where the output goes."""
    return LiveView(console, account) if console.is_terminal else PlainView(console, account)
