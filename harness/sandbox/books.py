"""The kernel's own account of what a child and all it ever started used. Nothing inside edits it.

A control group adds up the processor time of every process that was in it, those that ended between
two looks included, whether or not anything waited for them. Where no group can be made, what the
kernel told about the ended tree counts (``wait4``), or what was seen while it ran, if that is more.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.sandbox import task_limit

NANOSECONDS, MICROSECONDS = 1e-9, 1e-6
KIBIBYTE = 1024


@dataclass(frozen=True)
class Ended:
    """What the kernel told of a tree of processes that has ended.

    Args:
        cpu_s: Processor time of all that were waited for, seconds.
        memory_bytes: The largest resident memory that one of them ever had.
    """

    cpu_s: float
    memory_bytes: int


def open_books() -> Path | None:
    """Return a new, empty group that counts processor time, or None where there can be none."""
    home = available()
    if home is not None:
        with contextlib.suppress(OSError):
            return task_limit.new_group(home)
    return None


def processor_seconds(group: Path) -> float | None:
    """Return the processor time of all processes that ever were in a group; None: not told."""
    with contextlib.suppress(OSError, ValueError):
        return int((group / "cpuacct.usage").read_bytes()) * NANOSECONDS  # version 1
    with contextlib.suppress(OSError, ValueError):
        for line in (group / "cpu.stat").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "usage_usec":  # version 2
                return int(value) * MICROSECONDS
    return None


@cache
def available() -> Path | None:
    """Return where groups that count can be made; found out by having one count."""
    return task_limit.first_usable(homes, task_limit.new_group, processor_seconds)


def homes(told: str, tree: Path = task_limit.TREE) -> list[Path]:
    """Return the folders in which a group that counts processor time may be possible.

    Args:
        told: ``/proc/self/cgroup``.
        tree: Where the groups are mounted.
    """
    return task_limit.homes_with("cpuacct", told, tree)  # version 2 counts in every group


def told_at_the_end(usage: object) -> Ended:
    """Return what ``os.wait4`` told of a tree, in the hub's units."""
    seconds = float(getattr(usage, "ru_utime", 0.0)) + float(getattr(usage, "ru_stime", 0.0))
    size = int(getattr(usage, "ru_maxrss", 0))
    return Ended(seconds, size if sys.platform == "darwin" else size * KIBIBYTE)


def wait_for(pid: int) -> tuple[int, Ended] | None:
    """Return exit code and account of a child of this process that has ended; None: it runs on.

    Raises:
        ChildProcessError: It is no child of this process, or was waited for before.
    """
    ended, status, usage = os.wait4(pid, os.WNOHANG)
    if ended == 0:
        return None
    return os.waitstatus_to_exitcode(status), told_at_the_end(usage)
