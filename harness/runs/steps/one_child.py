"""The task of one child, for studies and confirmations: its course reads how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic

from harness.protocol.track import Track
from harness.runs.graph.memory import memory_bytes, weights_bytes
from harness.runs.graph.task import Kind, Task
from harness.sandbox.child import Child
from harness.sandbox.outcome import A, Outcome
from toolkit.core.errors import HubError


@dataclass
class OneChild(Generic[A]):
    """Starts one child and keeps how it ended.

    Args:
        label: What the user sees.
        launch: Starts it.
    """

    label: str
    launch: Callable[[], Child[A]] = field(repr=False)
    outcome: Outcome[A] | None = None
    _child: Child[A] | None = None

    def task(self, kind: Kind, track: Track) -> Task:
        """Return it as a task of a graph.

        Args:
            kind: What it is.
            track: Whose base it loads.
        """
        memory = memory_bytes(weights_bytes(track), None)
        return Task(self.label, kind, self, memory_bytes=memory)

    def start(self) -> Child[A]:
        """Start the child."""
        self._child = self.launch()
        return self._child

    def keep(self) -> bool:
        """Take how it ended, and tell whether it answered."""
        self.outcome = self._child.ended() if self._child is not None else None
        return self.outcome is not None and self.outcome.answer is not None

    def close(self) -> None:
        """Nothing is held."""

    @property
    def answer(self) -> A:
        """What it answered.

        Raises:
            HubError: It did not.
        """
        answer = self.outcome.answer if self.outcome else None
        if answer is not None:
            return answer
        error = self.outcome.error if self.outcome else None
        what = error.what if error else "it was stopped before it ended."
        where, fix = (error.where, error.fix) if error else (None, None)
        raise HubError(f"{self.label}: {what}", where=where, fix=fix)
