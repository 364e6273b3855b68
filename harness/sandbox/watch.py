"""Look at what a child and everything it started use. Runs in the parent, a few times a second."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil

from harness.sandbox import books
from harness.sandbox.limits import Usage

# What lies deeper than this is not counted, so nothing may: a limit of its own says so.
DEEPEST = 32

# Files without a disk: what the kernel calls memory that processes share.
SHARED_MEMORY = ("/dev/zero", "/memfd:", "/dev/shm/", "/SYSV")  # noqa: S108 - names, not files

# Asking the kernel which pages are shared takes a while; more processes than this are told by
# number.
ASKED = 64
# For these answers the kernel waits until a process lets go of its own memory map. A process that
# forks a thousand others holds it for minutes, and the limits have to be looked at meanwhile.
PATIENCE_S = 0.5

# The hub looks a few times a second. When it could not for longer than this, the machine stood
# still (a closed laptop, a paused virtual machine), and so did the child: it is not held against
# it.
STANDSTILL_S = 15.0


class Watch:
    """Follows one child's processes and folder.

    Args:
        pid: The child that the hub started; its descendants are found from there.
        out: The child's folder.
        memory_bytes: From when on shared pages are counted exactly and not from below.
        counted: The group in which the kernel counts processor time, if there is one.
    """

    def __init__(self, pid: int, out: Path, memory_bytes: int, counted: Path | None = None) -> None:
        self.peak = Usage()
        self._memory_bytes = memory_bytes
        self._out = out
        self._looked, self._wall_s = time.monotonic(), 0.0
        self._shared = SharedMemory()
        self._counted = counted
        self._own_s: dict[tuple[int, float], float] = {}  # of processes seen, ended ones included
        self._worker: tuple[int, float] | None = None
        self._root: psutil.Process | None = None
        with contextlib.suppress(psutil.Error):
            self._root = psutil.Process(pid)

    def processes(self) -> list[psutil.Process]:
        """Return the child and everything below it that is alive."""
        if self._root is None:
            return []
        try:
            return [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []

    def usage(self, output_bytes: int) -> Usage:
        """Measure once; the peaks are kept in ``peak``."""
        memory, resident, cpu_s, count, threads = 0, 0, 0.0, 0, 0
        largest_shared = 0
        processes = self.processes()
        for process in processes:
            try:
                with process.oneshot():
                    if process.status() == psutil.STATUS_ZOMBIE:
                        continue
                    told = process.memory_info()
                    times = process.cpu_times()
                    threads += process.num_threads()
                    own = (process.pid, process.create_time())
                    self._own_s[own] = times.user + times.system
            except psutil.Error:
                continue  # it ended just now
            # Pages shared between a process and its forks are counted once.
            shared = getattr(told, "shared", 0)
            largest_shared = max(largest_shared, shared)
            memory += told.rss - shared
            resident += told.rss
            cpu_s += times.user + times.system
            cpu_s += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            count += 1
        # Memory that was written and is mapped somewhere stays, in whomever's account it stands: a
        # process that wrote it and ended, or dropped its own view, is charged for it no more.
        exactly = memory + largest_shared <= self._memory_bytes < resident
        pieces, once = self._shared.ask(processes, exactly=exactly) if count <= ASKED else (0, 0)
        memory = max(memory + max(largest_shared, pieces), once)
        disk, files, depth = folder_size(self._out)
        disk += nameless_bytes(processes)
        now = Usage(
            wall_s=self._wall_time(),
            cpu_s=self._processor_time(cpu_s),
            memory_bytes=memory,
            processes=count,
            threads=threads,
            disk_bytes=disk,
            files=files,
            depth=depth,
            output_bytes=output_bytes,
        )
        self.peak = replace(
            now,
            memory_bytes=max(now.memory_bytes, self.peak.memory_bytes),
            processes=max(now.processes, self.peak.processes),
            disk_bytes=max(now.disk_bytes, self.peak.disk_bytes),
            files=max(now.files, self.peak.files),
            depth=max(now.depth, self.peak.depth),
        )
        return now

    def _wall_time(self) -> float:
        """Return the seconds that the child could run; of a standstill only the first few count."""
        now = time.monotonic()
        self._wall_s += min(now - self._looked, STANDSTILL_S)
        self._looked = now
        return self._wall_s

    def _processor_time(self, alive_s: float) -> float:
        """Return the processor time so far: the kernel's count, or the most that was seen.

        Args:
            alive_s: Of the processes alive and of their children that they have waited for.
        """
        counted = books.processor_seconds(self._counted) if self._counted else None
        if counted is not None:
            return counted
        return max(alive_s, sum(self._own_s.values()), self.peak.cpu_s)

    def note_worker(self, output_bytes: int) -> None:
        """Note once which process is the worker: the busiest, before a contribution's code runs.

        Later the busiest may be one that the contribution started.
        """
        self.usage(output_bytes)
        if self._worker is None:
            self._worker = max(self._own_s, key=lambda one: self._own_s[one], default=None)

    @property
    def worker_s(self) -> float:
        """Processor time of the worker alone, without what it started, when last seen."""
        return 0.0 if self._worker is None else self._own_s.get(self._worker, 0.0)

    def close(self, told: books.Ended | None) -> None:
        """Complete the peaks after the last process has ended.

        Args:
            told: What the kernel told of them, if it did.
        """
        cpu_s, memory = self._processor_time(told.cpu_s if told else 0.0), self.peak.memory_bytes
        if told is not None and told.memory_bytes > own_peak():
            memory = max(memory, told.memory_bytes)  # between two looks
        self.peak = replace(self.peak, wall_s=self._wall_time(), cpu_s=cpu_s, memory_bytes=memory)


def own_peak() -> int:
    """Return the largest memory of this process; its children inherit it in the kernel's account.

    A process that has just been forked and not yet become another program is charged for all of
    its parent's pages, so a child's peak means something only above its parent's.
    """
    import resource

    return books.told_at_the_end(resource.getrusage(resource.RUSAGE_SELF)).memory_bytes


class SharedMemory:
    """Asks the kernel about shared memory without ever being kept waiting by a hostile process."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._told = (0, 0)

    def ask(self, processes: list[psutil.Process], *, exactly: bool) -> tuple[int, int]:
        """Return bytes of shared pieces, and of all memory with each page counted once.

        An answer that does not come soon is left to a later call; until then the one before holds.

        Args:
            processes: Whom to ask about.
            exactly: Also count each page once, which takes longer; without it that number is 0.
        """
        if self._thread is None or not self._thread.is_alive():

            def work() -> None:
                once = proportional(processes) if exactly else 0
                self._told = (shared_memory_bytes(processes), once)

            # A daemon: a question that the kernel never answers must not keep the hub from ending.
            self._thread = threading.Thread(target=work, name="shared memory", daemon=True)
            self._thread.start()
        self._thread.join(PATIENCE_S)
        return self._told


def proportional(processes: list[psutil.Process]) -> int:
    """Return the memory of processes that share pages, each page counted once (PSS), where told."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error, OSError):
            told = process.memory_full_info()
            total += getattr(told, "pss", 0)
    return total


def shared_memory_bytes(processes: list[psutil.Process]) -> int:
    """Return the bytes of all memory that processes can share, each piece counted once.

    Linux tells how much of a piece was ever written; where it does not let us ask, each piece
    counts in full.
    """
    pieces: dict[tuple[str, str], int] = {}
    for process in processes:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process.pid}/maps").read_text(errors="replace").splitlines():
                place, mode, _, device, inode, *name = line.split(maxsplit=5)
                if "s" not in mode or not name or not name[0].startswith(SHARED_MEMORY):
                    continue
                first, last = (int(end, 16) for end in place.split("-"))
                size = last - first
                with contextlib.suppress(OSError):
                    size = Path(f"/proc/{process.pid}/map_files/{place}").stat().st_blocks * 512
                pieces[device, inode] = max(size, pieces.get((device, inode), 0))
    return sum(pieces.values())


def nameless_bytes(processes: list[psutil.Process]) -> int:
    """Return the bytes of files that are open and have no name any more, as far as Linux tells."""
    seen: dict[tuple[int, int], int] = {}
    for process in processes:
        with contextlib.suppress(OSError):
            for handle in os.scandir(f"/proc/{process.pid}/fd"):
                with contextlib.suppress(OSError):
                    told = Path(handle.path).stat()
                    if stat.S_ISREG(told.st_mode) and told.st_nlink == 0:
                        seen[told.st_dev, told.st_ino] = told.st_blocks * 512
    return sum(seen.values())


def folder_size(folder: Path) -> tuple[int, int, int]:
    """Return bytes on disk, entries and depth of what is below a folder; links are not followed."""
    total = count = deepest = 0
    waiting = [(str(folder), 0)]
    while waiting:
        path, depth = waiting.pop()
        try:
            entries = list(os.scandir(path))
        except OSError:
            continue  # removed meanwhile
        for entry in entries:
            count += 1
            with contextlib.suppress(OSError):
                told = entry.stat(follow_symlinks=False)
                total += getattr(told, "st_blocks", told.st_size // 512) * 512
                if entry.is_dir(follow_symlinks=False):
                    deepest = max(deepest, depth + 1)
                    if depth < DEEPEST:
                        waiting.append((entry.path, depth + 1))
    return total, count, deepest
