"""Commands that the page started: each is a process and a folder, and is found again from both."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
from pydantic import ValidationError

from harness import paths
from harness.commands.app.child import EXIT_FILE
from toolkit.core import atomic
from toolkit.core.command_line import INTERRUPTED
from toolkit.core.errors import UsageError
from toolkit.core.record import Record

JOB_FILE, OUTPUT_FILE, OUT = "job.json", "output.txt", "out"
ID = re.compile(r"[a-z]+-\d{8}-\d{6}-[0-9a-f]{4}")
# A process number is used again one day; by then its process is younger than the job says.
SAME_START_S = 1.0
LAST_LINES = 30

Kind = Literal["train", "generate", "export", "new", "dataset"]
State = Literal["running", "done", "stopped", "failed"]

_starting = threading.Lock()
_children: list[subprocess.Popen[bytes]] = []  # so that those that have ended can be buried


class JobFile(Record):
    """What is kept of a job."""

    kind: Kind
    words: tuple[str, ...]  # after `python -m harness`
    form: dict[str, str]  # what was chosen on the page, to be chosen again
    begun: str  # UTC
    pid: int = 0
    process_begun_s: float = 0.0  # Unix time


class Fault(NamedTuple):
    """What a person needs to know of a command that failed."""

    what: str
    fix: str


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
        if is_alive(self.file):
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
        if self.state == "running":
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(self.file.pid).send_signal(signal.SIGINT)

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
            with (self.folder / OUTPUT_FILE).open("wb") as output:
                child = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-m", "harness.commands.app.child", self.folder,
                     *self.file.words],
                    cwd=paths.ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # it outlives the page
                    env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
                )  # fmt: skip
            _children[:] = [one for one in _children if one.poll() is None] + [child]
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already
                begun_s = psutil.Process(child.pid).create_time()
                known = {"pid": child.pid, "process_begun_s": begun_s}
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


def is_alive(file: JobFile) -> bool:
    """Tell whether a job's own process is at work."""
    for child in _children:
        if child.pid == file.pid:
            return child.poll() is None
    try:
        process = psutil.Process(file.pid) if file.pid else None
        return (
            process is not None
            and abs(process.create_time() - file.process_begun_s) < SAME_START_S
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


def fault_in(output: str) -> Fault:
    """Return what a command's last message says: ``error:`` and its ``fix``, without the place."""
    _, found, message = f"\n{output}".rpartition("\nerror: ")
    if not found:
        last = next((line for line in reversed(output.splitlines()) if line.strip()), "nothing")
        return Fault(f"The command ended with a fault of the hub: {last.strip()}", "")
    what, _, rest = message.partition("\n  fix  ")
    what = what.partition("\n  at   ")[0].strip()
    fix, *log = [line.strip() for line in rest.splitlines() if line.strip()] or [""]
    return Fault(f"{what} {log[-1]}" if log else what, "" if log else fix)


def typed(words: Sequence[str]) -> str:
    """Return a command of the hub as people type it, from the repository's folder."""
    command, *rest = [word.replace(f"{paths.ROOT}{os.sep}", "") for word in words]
    return f"nox -s {command} -- {shlex.join(rest)}"
