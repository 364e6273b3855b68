"""What work costs, in turns: wall time, processor time and memory, of a call or a whole process."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness import paths

MIB = 1 << 20
Found = TypeVar("Found")


@dataclass(frozen=True)
class Used:
    """What a process took from its start until it was gone."""

    began: float  # time.time()
    wall_s: float
    cpu_s: float  # of the process and all whose end it waited for
    peak_mib: float  # of the largest of them
    output: str


def in_turns(
    ways: Mapping[str, Callable[[], Found]], rounds: int, warm_up: int = 0
) -> dict[str, list[Found]]:
    """Go through all ways once a round, and return what each round of each gave.

    A machine that is busy for a while then slows all of them, not one.
    """
    found: dict[str, list[Found]] = {name: [] for name in ways}
    for _ in range(warm_up + rounds):
        for name, way in ways.items():
            found[name].append(way())
    return {name: all_rounds[warm_up:] for name, all_rounds in found.items()}


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the processor seconds of a piece of work in this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def use(
    command: Sequence[str],
    what: str = "",
    home: Path | None = None,
    extra_path: str = "",
    where: Path = paths.ROOT,
) -> Used:
    """Run a command with one thread, and wait for its end.

    Args:
        command: The interpreter and what follows.
        what: What to call it when it fails.
        home: Where Hugging Face's libraries keep what they have seen, for a program that is to be
            as on its first day.
        extra_path: A folder of packages for it alone.
        where: The folder it is typed in.

    Raises:
        SystemExit: It failed; with the end of what it printed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    if home is not None:
        environment["HF_HOME"] = str(home)
    if extra_path:
        environment["PYTHONPATH"] = extra_path
    with tempfile.TemporaryFile() as file:  # a pipe that nobody reads would hold it up
        began = time.time()
        process = subprocess.Popen(  # noqa: S603 - the benchmark's own command
            list(command),
            cwd=where,
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
    if process.returncode != 0:
        raise SystemExit(f"{what or command} failed:\n{output[-2000:]}")
    print(what, f"{wall:.2f} s", flush=True)
    return Used(began, wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / MIB, output)
