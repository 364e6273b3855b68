"""How a child ended: its answer, or the fault in words and the end of its log."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

from harness.errors import WorkerCrash, WorkerDisk
from harness.protocol.row import ErrorReport
from harness.sandbox.events import clean_json, without_control
from harness.sandbox.exits import describe_exit, shown_trace, signal_name
from harness.sandbox.files import ANSWER_FILE, LOG_FILE, TRACE_MARK
from harness.sandbox.limits import Kind, Limits, Usage, fault
from toolkit.core.errors import EnvironmentFault, HubError

LOG_TAIL_LINES = 40
LOG_TAIL_BYTES = 64 << 10
ANSWER_LIMIT = 16 << 20
LEAST_FREE_BYTES = 16 << 20

# Ends that the kernel's own limits bring about.
KERNEL_LIMITS: dict[str, Kind] = {"SIGXCPU": "cpu", "SIGXFSZ": "disk"}


class ChildAnswer(Protocol):
    """What the answers of all child programs have in common."""

    @property
    def error(self) -> ErrorReport | None:
        """Why the job failed, if it did."""


A = TypeVar("A", bound=ChildAnswer)


@dataclass(frozen=True)
class Outcome(Generic[A]):
    """How a child ended: its answer, or why there is none."""

    answer: A | None
    error: ErrorReport | None
    status: Literal["ok", "failed", "timeout", "oom", "limit", "crashed"]


@dataclass(frozen=True)
class Ending(Generic[A]):
    """A child that has ended, and what is needed to say how.

    Args:
        label: What the user sees.
        out: Its folder, swept: plain files only.
        limits: What it might use.
        read_answer: Parses ``answer.json``, raising ValueError when it is not what was asked for.
    """

    label: str
    out: Path
    limits: Limits
    read_answer: Callable[[bytes], A]

    def outcome(self, code: int | None, kind: Kind | None, usage: Usage) -> Outcome[A]:
        """Say how it ended.

        Args:
            code: Its exit code; None when it had to be stopped.
            kind: The limit it exceeded, if any.
            usage: What it had used.
        """
        kind = kind or KERNEL_LIMITS.get(signal_name(code) or "")
        path = self.out / ANSWER_FILE
        if code == 0 and path.is_file() and path.stat().st_size <= ANSWER_LIMIT:
            return self._judge(path.read_bytes())
        if kind is None and is_full(self.out):
            return self._machine_is_full()
        if kind is not None:
            error, status = fault(self.label, kind, usage, self.limits)
            return Outcome(None, self._report(error), status)
        crash = WorkerCrash(
            f"{self.label}'s process {describe_exit(code or 0)} without an answer.",
            fix="The last lines of its log follow.",
        )
        return Outcome(None, self._report(crash), "crashed")

    def _judge(self, data: bytes) -> Outcome[A]:
        try:
            # A stranger's process wrote it: its texts go to terminals, pages and workflow logs.
            answer = self.read_answer(clean_json(data))
        except ValueError as error:
            crash = WorkerCrash(
                f"{self.label}'s process left an answer that is not one: {error}",
                fix="Nothing but the harness may write answer.json.",
            )
            return Outcome(None, self._report(crash), "crashed")
        if answer.error is None:
            return Outcome(answer, None, "ok")
        told = answer.error
        if told.kind == WorkerDisk.__name__:
            # Only the hub can tell whose room it was: a stranger may say anything.
            return self._machine_is_full() if is_full(self.out) else self._no_room(told)
        safe = ErrorReport(
            kind=told.kind[:60],
            what=told.what[:2000],
            where=told.where[:300] if told.where else None,
            fix=told.fix[:1000] if told.fix else None,
            log_tail=(*log_tail(self.out, told=True), *shown_trace(told.log_tail)),
        )
        return Outcome(None, safe, "failed")

    def _machine_is_full(self) -> Outcome[A]:
        error = EnvironmentFault(
            f"The machine's disk is full, so {self.label} could not go on.",
            where=str(self.out),
            fix="Make room; `nox -s clean` lists what can go. It is no fault of the contribution.",
        )
        return Outcome(None, self._report(error), "failed")

    def _no_room(self, told: ErrorReport) -> Outcome[A]:
        error = WorkerDisk(
            f"{self.label} filled its private folder for temporary files: {told.what}",
            where=told.where,
            fix="Write nothing but small temporary files.",
        )
        return Outcome(None, self._report(error), "limit")

    def _report(self, error: HubError) -> ErrorReport:
        return ErrorReport(
            kind=type(error).__name__,
            what=without_control(error.what)[:2000],  # may quote what is wrong with an answer
            where=error.where,
            fix=error.fix,
            log_tail=log_tail(self.out),
        )


def is_full(folder: Path) -> bool:
    """Tell whether the disk that a folder lies on has hardly any room left."""
    return shutil.disk_usage(folder).free < LEAST_FREE_BYTES


def log_tail(out: Path, *, told: bool = False) -> tuple[str, ...]:
    """Return the last lines of a child's log without control characters; never the whole file.

    Args:
        out: The child's folder.
        told: Leave the traceback out, because the contribution's lines of it are shown anyway.
    """
    path = out / LOG_FILE
    if not path.is_file():
        return ()
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        text = log.read().decode("utf-8", errors="replace")
    if told:
        text = text.rpartition(f"{TRACE_MARK}\n")[0] or text
    lines = [without_control(line)[:300] for line in text.splitlines()]
    return tuple(line for line in lines if line.strip())[-LOG_TAIL_LINES:]
