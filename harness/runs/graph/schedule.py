"""Which task comes next. It starts nothing and reads no clock, so it can be simulated.

A task is *wanted* while a goal that has not been concluded needs it. A goal with a failed need
wants only what it heeds: the rest is cancelled. So a contribution that the gate refuses is not
trained to the end, and what another contribution needs goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from harness.runs.graph.task import Task


class Schedule:
    """The state of a graph: what waits, what runs, how the rest ended."""

    def __init__(self, tasks: Iterable[Task] = ()) -> None:
        self.tasks: dict[str, Task] = {}
        self.running: dict[str, Task] = {}
        self.ended: dict[str, bool] = {}  # id -> whether it ended well
        self._begun: set[str] = set()  # goals of which something of their own has been started
        self._lasting: dict[str, float] = {}
        self._forks: set[str] = set()  # what several tasks wait for, goals aside
        self._heeded: set[str] = set()
        self._goals: dict[str, list[str]] = {}  # id -> the goals that want it
        self.add(tasks)

    def copy(self) -> Schedule:
        """Return the same state, to be changed apart."""
        other = Schedule(self.tasks.values())
        other.running, other.ended = dict(self.running), dict(self.ended)
        other._begun = set(self._begun)
        other._look()
        return other

    def add(self, tasks: Iterable[Task]) -> None:
        """Add tasks; one that is there already stays as it is."""
        for task in tasks:
            self.tasks.setdefault(task.id, task)
        users: dict[str, list[Task]] = {}
        for task in self.tasks.values():
            for need in (*task.needs, *task.heeds):
                users.setdefault(need, []).append(task)
        self._lasting = {}
        self._heeded = {one for task in self.tasks.values() for one in task.heeds}
        self._forks = {
            one for one, after in users.items() if sum(task.kind != "row" for task in after) > 1
        }

        def lasting(task: Task) -> float:
            if task.id not in self._lasting:
                after = max((lasting(user) for user in users.get(task.id, ())), default=0.0)
                self._lasting[task.id] = task.seconds + after
            return self._lasting[task.id]

        for task in self.tasks.values():
            lasting(task)
        self._look()

    def take(self, free_bytes: float = float("inf"), without: Collection[str] = ()) -> Task | None:
        """Return the task to be started next, or None when all have to wait.

        What a goal heeds, for its failure saves the rest; what several tasks wait for; then the
        longest remaining path. Of many runs those that have begun come first, or all would be
        trained before the first is scored; what several runs need comes before them all.

        Args:
            free_bytes: Memory that may be promised; with nothing running it is not asked about.
            without: Tasks that cannot be started now.
        """
        found = [
            self.tasks[one]
            for one in self._goals
            if one not in self.running
            and one not in without
            and all(self.ended.get(need) for need in self.tasks[one].needs)
            and (self.tasks[one].memory_bytes <= free_bytes or not self.running)
        ]
        if not found:
            return None
        task = min(found, key=self._urgency)
        self.running[task.id] = task
        if len(self._goals[task.id]) == 1:
            self._begun |= set(self._goals[task.id])
        return task

    def _urgency(self, task: Task) -> tuple[bool, bool, bool, float, str]:
        goals = self._goals[task.id]
        waits = len(goals) == 1 and goals[0] not in self._begun
        heeded, fork = task.id in self._heeded, task.id in self._forks
        return (waits, not heeded, not fork, -self._lasting[task.id], task.id)

    def end(self, one: str, *, well: bool) -> None:
        """Note how a task ended, or that a goal has been concluded."""
        self.running.pop(one, None)
        self.ended[one] = well
        self._look()

    def back(self, one: str) -> None:
        """Let a task wait that cannot be started now after all."""
        del self.running[one]

    def ready_goals(self) -> list[Task]:
        """Return the goals that can be concluded: all is there, or they are hopeless."""
        return [
            goal
            for goal in self._open_goals()
            if all(self._is_over(one) for one in goal.heeds)
            and (self.is_hopeless(goal.id) or all(self.ended.get(one) for one in goal.needs))
        ]

    def unwanted(self) -> list[Task]:
        """Return what runs and is needed by nobody any more."""
        return [task for one, task in self.running.items() if one not in self._goals]

    def waiting(self) -> list[Task]:
        """Return what is wanted and does not run yet, the longest remaining path first."""
        found = [self.tasks[one] for one in self._goals if one not in self.running]
        return sorted(found, key=self._urgency)

    @property
    def is_over(self) -> bool:
        """Whether every goal has been concluded."""
        return not self._open_goals()

    def is_hopeless(self, one: str) -> bool:
        """Tell whether something that a task needs has failed, however far up."""
        return any(
            not self.ended[need] if need in self.ended else self.is_hopeless(need)
            for need in self.tasks[one].needs
        )

    def _is_over(self, one: str) -> bool:
        return one in self.ended or self.is_hopeless(one)

    def _open_goals(self) -> list[Task]:
        return [
            task for task in self.tasks.values() if task.kind == "row" and task.id not in self.ended
        ]

    def _look(self) -> None:
        """Find out which goals want which tasks."""
        self._goals = {}
        for goal in self._open_goals():
            hopeless = self.is_hopeless(goal.id)
            waiting = [*goal.heeds, *(() if hopeless else goal.needs)]
            seen: set[str] = set()
            while waiting:
                one = waiting.pop()
                if one in seen or one in self.ended or self.is_hopeless(one):
                    continue
                seen.add(one)
                self._goals.setdefault(one, []).append(goal.id)
                waiting += self.tasks[one].needs
