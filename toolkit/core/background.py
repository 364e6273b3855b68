"""Processes that outlive the one that starts them, and are known again by number and time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

# A process number is used again one day; by then its process is younger than was noted.
SAME_START_S = 1.0

_children: list[subprocess.Popen[bytes]] = []  # so that those that have ended can be buried


class Background(NamedTuple):
    """A process that was started."""

    pid: int
    begun_s: float  # Unix time; 0 if it had ended before it could be asked

    @property
    def is_alive(self) -> bool:
        """Whether it is at work: it, and not another one that has got its number."""
        for child in _children:
            if child.pid == self.pid:
                return child.poll() is None
        try:
            process = psutil.Process(self.pid) if self.pid else None
            return (
                process is not None
                and abs(process.create_time() - self.begun_s) < SAME_START_S
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False

    def interrupt(self) -> None:
        """Do what Ctrl-C does, if it is at work."""
        if self.is_alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(self.pid).send_signal(signal.SIGINT)


def start(
    words: Sequence[str | Path], output: Path, folder: Path, environment: Mapping[str, str]
) -> Background:
    """Start a program that goes on when this one ends.

    Args:
        words: Program and arguments.
        output: File for what it prints, written anew.
        folder: Where it works.
        environment: Variables besides this process's own.
    """
    with output.open("wb") as file:
        child = subprocess.Popen(  # noqa: S603
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env={**os.environ, **environment},
        )
    _children[:] = [one for one in _children if one.poll() is None] + [child]
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended already
        return Background(child.pid, psutil.Process(child.pid).create_time())
    return Background(child.pid, 0.0)
