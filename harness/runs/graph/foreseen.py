"""How long the tasks of a graph will take, learnt from those that have ended or run already.

Beforehand only their estimates are known, of this machine when it was idle, or of none. A busy
machine, or a track with a longer budget, is slower than that by a factor that the first tasks show.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.runs.graph.task import Kind, Task
from toolkit.core.progress import NothingToClose, Progress

TOLD_SHARE = 0.2  # from when on what a task tells of itself is believed


@dataclass(eq=False)
class Heard(NothingToClose):
    """Passes on what one task tells, and keeps how far it is."""

    progress: Progress
    share: float = 0.0

    def update(self, label: str, done: float, text: str) -> None:
        """Keep the share done (0 to 1), and pass it on."""
        self.share = done
        self.progress.update(label, done, text)

    def finish(self, label: str, *, ok: bool) -> None:
        """Pass it on."""
        self.progress.finish(label, ok=ok)


@dataclass
class Foreseen:
    """What is known by now.

    Args:
        ended: For each kind of task, estimated seconds and those that it took, summed up.
        running: The same of tasks that run, by what they tell.
    """

    ended: dict[Kind, tuple[float, float]] = field(default_factory=dict)
    running: dict[Kind, tuple[float, float]] = field(default_factory=dict)

    def note(self, task: Task, seconds: float) -> None:
        """Note what an ended task took."""
        add(self.ended, task, seconds)

    def look(self, running: list[tuple[Task, float, float]]) -> None:
        """Learn from what runs.

        Args:
            running: Tasks, how long they have been running (seconds), and the shares done.
        """
        self.running = {}
        for task, spent, share in running:
            if share >= TOLD_SHARE:
                add(self.running, task, spent / share)
            elif not share and spent > task.seconds:
                add(self.running, task, spent)  # it says nothing: at least so long

    def seconds(self, task: Task) -> float:
        """Return what a task will take, seconds.

        A busy machine slows down all kinds, a longer budget one of them. So a kind that was not
        seen yet is as slow as the least slow one that was.
        """
        alike = self.ended.get(task.kind) or self.running.get(task.kind)
        known = [alike] if alike else [*self.ended.values(), *self.running.values()]
        return task.seconds * min(
            (took / estimated for estimated, took in known if estimated), default=1.0
        )

    def left(self, task: Task, spent: float, share: float) -> float:
        """Return what a task that runs has still to go, seconds.

        Args:
            task: Which.
            spent: How long it has been running, seconds.
            share: How far it is, as it says; believed more and more.
        """
        by_others = max(0.0, self.seconds(task) - spent)
        if share < TOLD_SHARE:
            return by_others
        told = spent * (1 - share) / share
        return share * told + (1 - share) * by_others


def add(sums: dict[Kind, tuple[float, float]], task: Task, seconds: float) -> None:
    """Add one task to the sums of its kind."""
    estimated, took = sums.get(task.kind, (0.0, 0.0))
    sums[task.kind] = (estimated + task.seconds, took + seconds)
