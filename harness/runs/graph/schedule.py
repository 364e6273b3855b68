"""Which task comes next. It starts nothing and reads no clock, so it can be simulated.

One failure cancels the graph: a contribution that the gate refuses is not trained to the end. What
is heeded is awaited all the same, so what a user is told does not depend on which fault was faster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from harness.runs.graph.task import Task


class Schedule:
    """The state of a graph: what waits, what runs, how the rest ended.

    Args:
        tasks: All of them; of two that are alike the one that is listed first comes first.
    """

    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.running: set[str] = set()
        self.ended: dict[str, bool] = {}  # id -> whether it ended well
        self._places = {one: place for place, one in enumerate(self.tasks)}
        self._lasting = self._longest_paths()

    def copy(self) -> Schedule:
        """Return the same state, to be changed apart."""
        other = Schedule(self.tasks.values())
        other.running, other.ended = set(self.running), dict(self.ended)
        return other

    def take(self, free_bytes: float = float("inf"), without: Collection[str] = ()) -> Task | None:
        """Return the task to be started next, or None when all have to wait.

        What is heeded first, for its failure saves the rest; then the longest remaining path.

        Args:
            free_bytes: Memory that may be promised.
            without: Tasks that cannot be started now.
        """
        found = [
            task
            for task in self.waiting()
            if task.id not in without
            and all(self.ended.get(need) for need in task.needs)
            and task.memory_bytes <= free_bytes
        ]
        if not found:
            return None
        self.running.add(found[0].id)
        return found[0]

    def end(self, one: str, *, well: bool) -> None:
        """Note how a task ended."""
        self.running.discard(one)
        self.ended[one] = well

    def back(self, one: str) -> None:
        """Let a task wait that cannot be started now after all."""
        self.running.remove(one)

    def waiting(self) -> list[Task]:
        """Return what is wanted and neither runs nor has ended, the most urgent first."""
        found = [
            task
            for task in self.tasks.values()
            if task.id not in self.running and task.id not in self.ended and self._is_wanted(task)
        ]
        return sorted(found, key=self._urgency)

    def unwanted(self) -> list[str]:
        """Return what runs and is needed no more."""
        return [one for one in self.running if not self._is_wanted(self.tasks[one])]

    @property
    def has_failed(self) -> bool:
        """Whether any task has failed."""
        return not all(self.ended.values())

    @property
    def is_over(self) -> bool:
        """Whether nothing runs and nothing more will."""
        return not self.running and not self.waiting()

    def _is_wanted(self, task: Task) -> bool:
        return task.heeded or not self.has_failed

    def _urgency(self, task: Task) -> tuple[bool, float, int]:
        return (not task.heeded, -self._lasting[task.id], self._places[task.id])

    def _longest_paths(self) -> dict[str, float]:
        """Return the seconds from each task's start to the end of what waits for it."""
        users: dict[str, list[Task]] = {}
        for task in self.tasks.values():
            for need in task.needs:
                users.setdefault(need, []).append(task)
        lasting: dict[str, float] = {}

        def look(task: Task) -> float:
            if task.id not in lasting:
                after = max((look(user) for user in users.get(task.id, ())), default=0.0)
                lasting[task.id] = task.seconds + after
            return lasting[task.id]

        for task in self.tasks.values():
            look(task)
        return lasting
