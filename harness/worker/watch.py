"""Look at what a child and everything it started use. Runs in the parent, a few times a second."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

import psutil

from harness.sandbox.limits import Usage

# Folders deeper than this are not counted, only removed: no hook needs them.
DEEPEST = 32


class Watch:
    """Follows one child's processes and folder.

    Args:
        pid: The child that the hub started; its descendants are found from there.
        out: The child's folder.
    """

    def __init__(self, pid: int, out: Path) -> None:
        self.peak = Usage()
        self._out = out
        self._began = time.monotonic()
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
        memory, cpu_s, count, threads = 0, 0.0, 0, 0
        largest_shared = 0
        for process in self.processes():
            try:
                with process.oneshot():
                    if process.status() == psutil.STATUS_ZOMBIE:
                        continue
                    told = process.memory_info()
                    times = process.cpu_times()
                    threads += process.num_threads()
            except psutil.Error:
                continue  # it ended just now
            # Pages shared between a process and its forks are counted once.
            shared = getattr(told, "shared", 0)
            largest_shared = max(largest_shared, shared)
            memory += told.rss - shared
            cpu_s += times.user + times.system
            cpu_s += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            count += 1
        disk, files = folder_size(self._out)
        now = Usage(
            wall_s=time.monotonic() - self._began,
            cpu_s=max(cpu_s, self.peak.cpu_s),
            memory_bytes=memory + largest_shared,
            processes=count,
            threads=threads,
            disk_bytes=disk,
            files=files,
            output_bytes=output_bytes,
        )
        self.peak = replace(
            now,
            memory_bytes=max(now.memory_bytes, self.peak.memory_bytes),
            processes=max(now.processes, self.peak.processes),
            disk_bytes=max(now.disk_bytes, self.peak.disk_bytes),
            files=max(now.files, self.peak.files),
        )
        return now


def folder_size(folder: Path) -> tuple[int, int]:
    """Return the bytes on disk and the number of entries below a folder; links are not followed."""
    total = count = 0
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
                if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                    waiting.append((entry.path, depth + 1))
    return total, count
