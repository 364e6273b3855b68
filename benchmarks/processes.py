"""What one process costs, with all it started: wall time, processor time, memory."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import paths

MIB = 1 << 20


@dataclass(frozen=True)
class Used:
    """What a process took from its start until it was gone."""

    began: float  # time.time()
    wall_s: float
    cpu_s: float  # of the process and all whose end it waited for
    peak_mib: float  # of the largest of them
    code: int
    output: str


def use(command: Sequence[str], log: Path, home: Path | None = None, extra_path: str = "") -> Used:
    """Run a command in the repository's root with one thread, and wait for its end.

    Args:
        command: The interpreter and what follows.
        log: Where its output goes: an unread pipe would block it.
        home: Where Hugging Face's libraries keep what they have seen, for a program that is to be
            as on its first day.
        extra_path: A folder of packages for it alone.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    if home is not None:
        environment["HF_HOME"] = str(home)
    if extra_path:
        environment["PYTHONPATH"] = extra_path
    with log.open("w+b") as file:
        began = time.time()
        process = subprocess.Popen(  # noqa: S603 - the benchmark's own command
            list(command),
            cwd=paths.ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.time() - began
        process.returncode = os.waitstatus_to_exitcode(status)  # Popen need not wait any more
        file.seek(0)
        output = file.read().decode("utf-8", errors="replace")
    cpu = used.ru_utime + used.ru_stime
    return Used(began, wall, cpu, used.ru_maxrss * 1024 / MIB, process.returncode, output)
