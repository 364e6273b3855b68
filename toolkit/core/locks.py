"""File locks that record which process holds them, and since when.

The lock itself is the kernel's, on an open file: it ends with its process, so none is ever left
behind by a crash, and no clock decides about it. The note beside it is for the message only.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from filelock import FileLock, Timeout

from toolkit.core import atomic

# Clocks and process tables are not read at the same moment.
SAME_TIME_S = 2.0


class Busy(Exception):
    """Another process holds the lock; the text says which."""


class Holder(NamedTuple):
    """Which process holds a lock, as the note beside it says."""

    process: int
    machine: str
    since_s: float  # Unix time

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.machine == platform.node()

    @property
    def is_alive(self) -> bool:
        """Whether it is at work; of another machine that cannot be told, so it is believed."""
        if not self.is_here:
            return True
        try:
            began_s = psutil.Process(self.process).create_time()
        except (psutil.Error, ValueError, OverflowError):
            return False
        return began_s <= self.since_s + SAME_TIME_S  # else the number was given away again


@contextmanager
def held(
    path: Path, timeout_s: float = 0.0, when_busy: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock of ``path`` (a file ``<path>.lock`` beside it).

    Args:
        path: What is locked; it need not exist.
        timeout_s: How long to wait for it, seconds; negative means for ever.
        when_busy: Called with who holds it, before waiting, if another process holds the lock.

    Raises:
        Busy: Another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    note = path.with_name(f"{path.name}.owner")
    lock = FileLock(f"{path}.lock", timeout=timeout_s)
    try:
        acquire(lock, note, when_busy)
    except Timeout as error:
        raise Busy(owner(note)) from error
    try:
        about = {"process": os.getpid(), "machine": platform.node(), "since": time.time()}
        atomic.write_text(note, json.dumps(about))
        yield
        note.unlink(missing_ok=True)
    finally:
        lock.release()


def acquire(lock: FileLock, note: Path, when_busy: Callable[[str], None] | None) -> None:
    """Take a lock; tell who has it before waiting for it."""
    if when_busy is not None:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            when_busy(owner(note))
        else:
            return
    lock.acquire()


def holder(path: Path) -> Holder | None:
    """Return who holds the lock of ``path``, or held it and was killed; None: no process.

    It is read, not tried: a process that tries a lock has it for a moment, and is in another's way.
    """
    return noted(path.with_name(f"{path.name}.owner"))


def noted(note: Path) -> Holder | None:
    """Return what a note says; None where there is none that can be read."""
    try:
        about = json.loads(note.read_text(encoding="utf-8"))
        machine = str(about["machine"])[:60]
        return Holder(int(about["process"]), machine, float(about["since"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


def owner(note: Path) -> str:
    """Say who holds a lock and for how long, as far as the note tells."""
    one = noted(note)
    if one is None:
        return "another process"
    seconds = max(0.0, time.time() - one.since_s)  # a clock may have been set back
    return f"process {one.process} on {one.machine!r}, for {seconds / 60:.0f} min"
