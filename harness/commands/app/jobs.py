"""Commands that the page started: each is a process and a folder, and is found again from both."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from harness import paths
from harness.commands.app.child import EXIT_FILE
from toolkit.core import atomic, background
from toolkit.core.command_line import INTERRUPTED, Fault, fault_in
from toolkit.core.errors import UsageError
from toolkit.core.record import Record

JOB_FILE, OUTPUT_FILE, OUT = "job.json", "output.txt", "out"
ID = re.compile(r"[a-z]+-\d{8}-\d{6}-[0-9a-f]{4}")
LAST_LINES = 30

Kind = Literal["train", "generate", "export", "new", "dataset"]
State = Literal["running", "done", "stopped", "failed"]

_starting = threading.Lock()


class JobFile(Record):
    """What is kept of a job."""

    kind: Kind
    words: tuple[str, ...]  # after `python -m harness`
    form: dict[str, str]  # what was chosen on the page, to be chosen again
    begun: str  # UTC
    pid: int = 0
    process_begun_s: float = 0.0  # Unix time

    @property
    def process(self) -> background.Background:
        """Its process, which may have ended."""
        return background.Background(self.pid, self.process_begun_s)


class Job:
    """One command.

    Args:
        folder: With its files.

    Raises:
        UsageError: It holds no job.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = read(folder)

    @property
    def id(self) -> str:
        """Its name: kind, time, a few letters."""
        return self.folder.name

    @property
    def out(self) -> Path:
        """Where its files are: in its own folder, or for a training where its ``--out`` says."""
        named = [word for word in self.file.words if word.startswith("--out=")]
        is_training = self.file.kind == "train" and named
        return Path(named[-1].partition("=")[2]) if is_training else self.folder / OUT

    @property
    def command(self) -> str:
        """What to type to have the same done."""
        return typed(self.file.words)

    @property
    def state(self) -> State:
        """What has become of it; ``stopped`` also when its process is gone without a word."""
        if self.file.process.is_alive:
            return "running"
        try:
            code = int((self.folder / EXIT_FILE).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return "stopped"
        return {0: "done", INTERRUPTED: "stopped"}.get(code, "failed")  # type: ignore[return-value]

    @property
    def output(self) -> str:
        """The last lines of what it printed."""
        try:
            text = (self.folder / OUTPUT_FILE).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-LAST_LINES:])

    @property
    def fault(self) -> Fault | None:
        """Why it failed, or ended without a word."""
        state = self.state
        if state == "failed":
            return fault_in(self.output)
        if state == "stopped" and not (self.folder / EXIT_FILE).is_file():
            return Fault(
                "The process was ended from outside: the machine was switched off, memory ran out, "
                "or a person ended it.",
                "What was kept is there: press Go on.",
            )
        return None

    def stop(self) -> None:
        """Ask it to stop as Ctrl-C does: a training keeps its step first."""
        self.file.process.interrupt()

    def start(self) -> None:
        """Begin, or go on with what an earlier start left.

        Raises:
            UsageError: It is at work.
        """
        with _starting:
            self.file = read(self.folder)  # another window may have started it
            if self.state == "running":
                raise UsageError("It is at work already.", fix="Wait, or stop it first.")
            (self.folder / EXIT_FILE).unlink(missing_ok=True)
            child = background.start(
                [sys.executable, "-m", "harness.commands.app.child", self.folder, *self.file.words],
                self.folder / OUTPUT_FILE,
                paths.ROOT,
                {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
            )
            known = {"pid": child.pid, "process_begun_s": child.begun_s}
            self.file = self.file.model_copy(update=known)
            atomic.write_text(self.folder / JOB_FILE, self.file.model_dump_json(indent=1))


def read(folder: Path) -> JobFile:
    """Return what is kept of a job.

    Raises:
        UsageError: The folder holds no job.
    """
    try:
        return JobFile.model_validate_json((folder / JOB_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(f"There is no job {folder.name}.", fix="Look at the list.") from error


def create(home: Path, kind: Kind, words: Sequence[str], form: dict[str, str]) -> Job:
    """Make a job and start it.

    Args:
        home: Where jobs are kept.
        kind: The command.
        words: After the command; ``{out}`` in one of them becomes the job's own folder.
        form: What was chosen on the page.
    """
    now = datetime.now(UTC)
    folder = home / "jobs" / f"{kind}-{now:%Y%m%d-%H%M%S}-{os.urandom(2).hex()}"
    folder.mkdir(parents=True)
    filled = (kind, *(word.replace("{out}", str(folder / OUT)) for word in words))
    atomic.write_text(
        folder / JOB_FILE,
        JobFile(kind=kind, words=filled, form=form, begun=f"{now:%Y-%m-%d %H:%M}").model_dump_json(
            indent=1
        ),
    )
    job = Job(folder)
    job.start()
    return job


def find(home: Path, name: str) -> Job:
    """Return one job.

    Raises:
        UsageError: There is none of that name.
    """
    if not ID.fullmatch(name):
        raise UsageError(f"There is no job {name[:40]!r}.", fix="Look at the list.")
    return Job(home / "jobs" / name)


def all_of(home: Path, kind: Kind) -> list[Job]:
    """Return the jobs of one kind, the newest first."""
    found = []
    for folder in sorted((home / "jobs").glob(f"{kind}-*"), reverse=True):
        with contextlib.suppress(UsageError):  # half deleted by a person
            found.append(Job(folder))
    return sorted(found, key=lambda job: job.id.split("-", 1)[1], reverse=True)


def typed(words: Sequence[str]) -> str:
    """Return a command of the hub as people type it, from the repository's folder."""
    command, *rest = [word.replace(f"{paths.ROOT}{os.sep}", "") for word in words]
    return f"nox -s {command} -- {shlex.join(rest)}"
