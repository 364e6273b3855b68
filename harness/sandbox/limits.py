"""How much a child may use, and the message when it used more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import psutil

from harness.errors import (
    WorkerCpuTime,
    WorkerDisk,
    WorkerMemory,
    WorkerOutput,
    WorkerProcesses,
    WorkerTimeout,
)
from toolkit.core.errors import HubError

MIB, GIB = 1 << 20, 1 << 30

Kind = Literal["wall", "cpu", "memory", "processes", "disk", "files", "depth", "output"]
LimitStatus = Literal["timeout", "oom", "limit"]


@dataclass(frozen=True)
class Limits:
    """Limits of one child with everything it starts, together.

    Args:
        wall_s: Wall time, seconds.
        cpu_s: Processor time of all its processes, seconds.
        memory_bytes: Resident memory of all its processes.
        processes: Processes alive at once.
        threads: Threads of all its processes.
        disk_bytes: Bytes in its folder, and the largest single file.
        files: Files in its folder.
        depth: Folders inside each other in its folder.
        output_bytes: What it may print.
    """

    wall_s: float
    cpu_s: float
    memory_bytes: int
    processes: int = 32
    threads: int = 1024
    disk_bytes: int = 2 * GIB
    files: int = 20_000
    depth: int = 32
    output_bytes: int = 64 * MIB

    def but(self, **changes: float) -> Limits:
        """Return these limits with some changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Usage:
    """What a child and everything it started use at one moment (CPU time: so far)."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    memory_bytes: int = 0
    processes: int = 0
    threads: int = 0
    disk_bytes: int = 0
    files: int = 0
    depth: int = 0
    output_bytes: int = 0


def default_limits(wall_s: float, threads: int = 1) -> Limits:
    """Return the limits of a job that says only how long it may take.

    A process waits for nothing but the processor here, so CPU time is bounded by what ``threads``
    busy threads (and one for loading) can use. Memory: three quarters of the machine, at most 16
    GiB; the embedded base needs one.
    """
    memory = min(16 * GIB, psutil.virtual_memory().total * 3 // 4)
    return Limits(wall_s=wall_s, cpu_s=wall_s * (threads + 1), memory_bytes=memory)


def exceeded(usage: Usage, limits: Limits) -> Kind | None:
    """Return the first limit that is exceeded, or None."""
    pairs: tuple[tuple[Kind, float, float], ...] = (
        ("processes", usage.processes, limits.processes),
        ("processes", usage.threads, limits.threads),
        # After processes: the memory of a fork bomb is theirs, and the bomb is what to tell.
        ("memory", usage.memory_bytes, limits.memory_bytes),
        ("disk", usage.disk_bytes, limits.disk_bytes),
        ("files", usage.files, limits.files),
        ("depth", usage.depth, limits.depth),
        ("output", usage.output_bytes, limits.output_bytes),
        ("cpu", usage.cpu_s, limits.cpu_s),
        ("wall", usage.wall_s, limits.wall_s),
    )
    return next((kind for kind, used, allowed in pairs if used > allowed), None)


def fault(label: str, kind: Kind, usage: Usage, limits: Limits) -> tuple[HubError, LimitStatus]:
    """Say which limit a child exceeded, how much it used and how much it may use."""
    stopped = f"{label} was stopped:"
    if kind == "wall":
        error: HubError = WorkerTimeout(
            f"{stopped} it ran for {usage.wall_s:.0f} s; its time limit is {limits.wall_s:.0f} s.",
            fix="Do less per step, or look in the log for what it was waiting for.",
        )
        return error, "timeout"
    if kind == "cpu":
        error = WorkerCpuTime(
            f"{stopped} it used {usage.cpu_s:.0f} s of processor time; its limit is "
            f"{limits.cpu_s:.0f} s.",
            fix="Do less per step, and start no threads or processes of your own.",
        )
        return error, "timeout"
    if kind == "memory":
        error = WorkerMemory(
            f"{stopped} it used {_size(usage.memory_bytes)} of memory; its limit is "
            f"{_size(limits.memory_bytes)}.",
            fix="Keep fewer tensors alive: detach() what you collect, use smaller batches.",
        )
        return error, "oom"
    if kind == "processes":
        error = WorkerProcesses(
            f"{stopped} it had {usage.processes} processes with {usage.threads} threads at once; "
            f"its limits are {limits.processes} and {limits.threads}.",
            fix="Start no processes; the hub runs contributions side by side itself.",
        )
    elif kind == "output":
        error = WorkerOutput(
            f"{stopped} it printed more than {_size(limits.output_bytes)}, its limit.",
            fix="Print a line every few steps, not tensors.",
        )
    else:
        used, allowed = _size(usage.disk_bytes), _size(limits.disk_bytes)
        if kind == "files":
            used, allowed = f"{usage.files:,} files", f"{limits.files:,} files"
        elif kind == "depth":
            used = f"folders {usage.depth} and more deep"
            allowed = f"{limits.depth} folders inside each other"
        error = WorkerDisk(
            f"{stopped} it wrote {used} into its folder; its limit is {allowed}.",
            fix="Write nothing but small temporary files.",
        )
    return error, "limit"


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"
