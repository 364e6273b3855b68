"""The parent's side: start child processes, follow them, and never leave one behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from harness import atomic, paths
from harness.errors import HubError, WorkerCrash, WorkerTimeout
from harness.progress import Progress
from harness.records import ErrorReport, Record
from harness.worker.events import EventReader, without_control
from harness.worker.jobs import ANSWER_FILE, EVENTS_FILE, JOB_FILE, LOG_FILE

BOOT = paths.ROOT / "harness" / "worker" / "boot.py"
POLL_S = 0.1

# No user site-packages, no current folder on the path, no bytecode written; and bytecode that lies
# about its source (the check and the content hash look at sources only) is compiled anew.
FLAGS = ("-s", "-P", "-B", "--check-hash-based-pycs", "always")
LOG_TAIL_LINES = 40
ANSWER_LIMIT = 16 << 20

# What a child inherits. No token, key or proxy setting of the user is on this list.
INHERITED = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")

# The isolation that is really active, named in every row.
SANDBOX = "process"


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
    status: Literal["ok", "failed", "timeout", "crashed"]


class Child(Generic[A]):
    """One child process with its own folder, process group and cleared environment.

    Args:
        label: What the user sees.
        module: The child program, one of those that boot.py knows.
        job: What it is asked; written to ``job.json``.
        out: Its folder, emptied first.
        timeout_s: Wall time after which it is ended, seconds.
        read_answer: Parses ``answer.json``, raising ValueError when it is not what was asked for.
    """

    def __init__(
        self,
        label: str,
        module: str,
        job: Record,
        out: Path,
        timeout_s: float,
        read_answer: Callable[[bytes], A],
    ) -> None:
        self.label = label
        self.out = out
        self.outcome: Outcome[A] | None = None
        self._read_answer = read_answer
        self._ended = False
        if out.exists():
            shutil.rmtree(out)  # What an interrupted run left must not pass for this one's.
        (out / "tmp").mkdir(parents=True)
        atomic.write_text(out / JOB_FILE, job.model_dump_json(indent=1))
        self._events = EventReader(out / EVENTS_FILE)
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        threads = str(getattr(job, "threads", 1))
        with (out / LOG_FILE).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own program, no shell
                [sys.executable, *FLAGS, str(BOOT), module, str(out / JOB_FILE)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=out / "tmp",
                env=child_environment(out, threads),
                start_new_session=True,
            )

    def poll(self, progress: Progress) -> bool:
        """Show news, enforce the deadline, and tell whether the child is finished."""
        for phase, done in self._events.new():
            progress.update(self.label, done, phase)
        if self.outcome is not None:
            return True
        code = self._process.poll()
        if code is None and time.monotonic() < self._deadline:
            return False
        self.outcome = self._conclude(code)
        self.kill()
        progress.finish(self.label, ok=self.outcome.error is None)
        return True

    def kill(self) -> None:
        """End the whole process group, whatever state it is in, and reap the child.

        Once only: later the number of the group may belong to somebody else.
        """
        if self._ended:
            return
        self._ended = True
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        elif self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for leftover in self.out.rglob(".*.tmp"):  # writes that were cut short
            leftover.unlink(missing_ok=True)
        if self._process.stdin:
            self._process.stdin.close()

    def ended(self) -> Outcome[A]:
        """Return how the child ended.

        Raises:
            HubError: It was stopped because another one failed.
        """
        if self.outcome is None:
            raise HubError(f"{self.label} was stopped before it ended.")
        return self.outcome

    def _conclude(self, code: int | None) -> Outcome[A]:
        if code is None:
            error: HubError = WorkerTimeout(
                f"{self.label} was stopped after {self._timeout_s:.0f} s, its time limit.",
                fix="Do less per step, or look in the log for what it was waiting for.",
            )
            return Outcome(None, self.report(error), "timeout")
        path = self.out / ANSWER_FILE
        if code == 0 and path.is_file() and path.stat().st_size <= ANSWER_LIMIT:
            return self._judge(path.read_bytes())
        crash = WorkerCrash(
            f"{self.label}'s process {describe_exit(code)} without an answer.",
            fix="The last lines of its log follow.",
        )
        return Outcome(None, self.report(crash), "crashed")

    def _judge(self, data: bytes) -> Outcome[A]:
        try:
            answer = self._read_answer(data)
        except ValueError as error:
            crash = WorkerCrash(
                f"{self.label}'s process left an answer that is not one: {error}",
                fix="Nothing but the harness may write answer.json.",
            )
            return Outcome(None, self.report(crash), "crashed")
        if answer.error is None:
            return Outcome(answer, None, "ok")
        told = answer.error
        safe = ErrorReport(
            kind=without_control(told.kind)[:60],
            what=without_control(told.what)[:2000],
            where=without_control(told.where)[:300] if told.where else None,
            fix=without_control(told.fix)[:1000] if told.fix else None,
            log_tail=self.log_tail(),
        )
        return Outcome(None, safe, "failed")

    def report(self, error: HubError) -> ErrorReport:
        """Describe a fault together with the last lines of the child's log."""
        return ErrorReport(
            kind=type(error).__name__,
            what=error.what,
            where=error.where,
            fix=error.fix,
            log_tail=self.log_tail(),
        )

    def log_tail(self) -> tuple[str, ...]:
        """Return the last lines of the log without control characters; never the whole file."""
        path = self.out / LOG_FILE
        if not path.is_file():
            return ()
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - (64 << 10)))
            text = log.read().decode("utf-8", errors="replace")
        lines = [without_control(line)[:300] for line in text.splitlines()]
        return tuple(line for line in lines if line.strip())[-LOG_TAIL_LINES:]


def describe_exit(code: int) -> str:
    """Say in words how a process ended."""
    if code >= 0:
        return f"exited with code {code}"
    name = signal.Signals(-code).name
    hint = " (often: out of memory)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"


def child_environment(out: Path, threads: str) -> dict[str, str]:
    """Build the environment of a child from an allow-list."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | {
        "HOME": str(out / "tmp"),
        "USERPROFILE": str(out / "tmp"),
        "TMPDIR": str(out / "tmp"),
        "TEMP": str(out / "tmp"),
        "TMP": str(out / "tmp"),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DIFFUSERS_VERBOSITY": "error",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
    }


def run_children(children: Sequence[Child[Any]], progress: Progress) -> None:
    """Follow children to their ends; each then has an ``outcome``, or None if it was cut short.

    The first failure ends the others, so that a newcomer's typing error is not followed by a minute
    of waiting. On any exception (Ctrl-C too) no process survives.
    """
    try:
        while True:
            finished = [child.poll(progress) for child in children]
            failed = any(child.outcome and child.outcome.error for child in children)
            if all(finished) or failed:
                return
            time.sleep(POLL_S)
    finally:
        for child in children:
            child.kill()
