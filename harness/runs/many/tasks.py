"""What an executor is handed, and what it hands back: one contribution on one track.

Both are records, so they travel between processes and machines as JSON that is checked on arrival.
Nothing is ever pickled, and no object of a contribution's code leaves the sandbox.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Base64Bytes, Field, model_validator

from harness.protocol.row import ErrorReport, Row
from harness.sandbox.events import without_control
from harness.sandbox.layers import LayerName
from toolkit.core.record import Record
from toolkit.core.settings import REFERENCE_NAME

SENTENCE = 500  # characters of a fault that are shown

# How a task ended, besides the states of a row. A fault that no row can describe (a folder that
# cannot be read, a missing package) is "error"; what was never started is "not run".
TaskStatus = Literal[
    "ok", "unmergeable", "withheld", "failed", "timeout", "oom", "limit", "crashed", "canceled",
    "error", "not run",
]  # fmt: skip
GOOD: tuple[TaskStatus, ...] = ("ok", "unmergeable")


class Task(Record):
    """One contribution on one track, with everything the user chose about the run."""

    contribution: str = Field(description="name of a contribution or control, or `reference`")
    track: str
    seeds: tuple[int, ...] | None = Field(default=None, description="null: as many as usual")
    device: str = "cpu"
    fresh: bool = False
    skip_gate: bool = False
    thorough: bool = Field(default=False, description="all seeds of the track")
    isolation: LayerName | None = Field(default=None, description="null: the strongest there is")
    trust: bool = False
    key: str | None = Field(
        default=None, description="the run key that the machine that runs it must compute, too"
    )

    @property
    def label(self) -> str:
        """What the user sees."""
        return f"{self.contribution} on {self.track}"

    @property
    def is_reference(self) -> bool:
        """Whether others wait for this one: what they are compared with."""
        return self.contribution == REFERENCE_NAME


class TaskResult(Record):
    """How a task ended."""

    contribution: str
    track: str
    status: TaskStatus
    seconds: float = Field(default=0.0, ge=0, description="wall time, start of process included")
    reused: bool = Field(default=False, description="nothing had changed since an earlier run")
    row: Row | None = None
    error: ErrorReport | None = None
    folder: str | None = Field(default=None, description="the run's, relative to runs/")
    sheet: Base64Bytes | None = Field(default=None, description="the sheet of pictures, WebP")

    @model_validator(mode="after")
    def _row_is_its_own(self) -> TaskResult:
        """Refuse the row of another task: a machine may answer only for what it was asked."""
        row = self.row
        if row is not None and (row.contribution, row.track) != (self.contribution, self.track):
            raise ValueError(f"the row is about {row.contribution} on {row.track}")
        return self

    @property
    def label(self) -> str:
        """What the user sees."""
        return f"{self.contribution} on {self.track}"

    @property
    def good(self) -> bool:
        """Whether there is nothing to mend."""
        return self.status in GOOD


def not_run(task: Task, why: str) -> TaskResult:
    """Return the result of a task that was never started."""
    error = ErrorReport(kind="HubError", what=why)
    return TaskResult(
        contribution=task.contribution, track=task.track, status="not run", error=error
    )


def accept(task: Task, text: str) -> TaskResult:
    """Read what came back for a task; whatever is no answer to it becomes a fault of its own."""
    try:
        result = TaskResult.model_validate_json(text)
        if (result.contribution, result.track) != (task.contribution, task.track):
            raise ValueError(f"it is about {result.label}")
    except ValueError as error:
        # It quotes what came: as long as that was, with the names of its fields as they were.
        reason = without_control(str(error)).replace("\n", " ")[:SENTENCE]
        report = ErrorReport(kind="HubError", what=f"What came back is no result: {reason}")
        return TaskResult(
            contribution=task.contribution, track=task.track, status="error", error=report
        )
    return result
