"""The hub's side of the nursery: children that need not import torch anew.

Only where it changes nothing: on Linux, for jobs of one thread on the processor, on layers that
need no program to enter them. bubblewrap is such a program, so its children start cold.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel

from harness import paths
from harness.sandbox import books, layers, namespaces, trial
from harness.sandbox.environment import child_environment
from harness.sandbox.layers import LayerName

NURSERY = paths.ROOT / "harness" / "sandbox" / "nursery.py"
NOWHERE = Path("/nonexistent")
ANSWER_BYTES = 1 << 16
POLL_S = 0.02
# On a busy machine the imports take a minute. Later it answers at once, unless it was stopped.
STARTING_S, PATIENCE_S = 600.0, 30.0
LOST = -signal.SIGKILL
MACHINES = ("x86_64", "aarch64")  # whose number of clone(2) the nursery knows


@dataclass(frozen=True)
class Program:
    """What a child is to be."""

    arguments: list[str]  # of child_start: module, job, settings
    environment: dict[str, str]
    folder: Path
    groups: Sequence[Path]  # the control groups that it enters first
    name: str = "child_start"  # or what a trial does inside


class Process:
    """A forked child, as ``subprocess.Popen`` shows one that was started."""

    def __init__(self, nursery: Nursery, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None
        self.told: books.Ended | None = None  # by the kernel, at its end
        self._nursery = nursery

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs. Until then its number is its own."""
        if self.returncode is None:
            answer = self._nursery.ask({"poll": self.pid})
            self.returncode = answer.get("code", LOST)
            if "cpu_s" in answer:
                self.told = books.Ended(answer["cpu_s"], answer["memory_bytes"])
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired("a child", timeout or 0.0)
            time.sleep(POLL_S)
        return code

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """The process, from the hub's side; it ends with the hub."""

    def __init__(self, flags: tuple[str, ...]) -> None:
        self._tried: dict[LayerName, bool] = {}
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(STARTING_S)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own program, no shell
                [sys.executable, *flags, str(NURSERY), str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=child_environment(NOWHERE, "1"),
                start_new_session=True,
            )

    def ask(self, request: dict[str, Any], files: tuple[int, ...] = ()) -> dict[str, Any]:
        """Ask it; after an empty answer it is gone."""
        try:
            socket.send_fds(self._line, [json.dumps(request).encode()], files)
            answer: dict[str, Any] = json.loads(self._line.recv(ANSWER_BYTES) or b"{}")
        except OSError:
            answer = {}
        if answer:
            self._line.settimeout(PATIENCE_S)
        else:
            self.close()
        return answer

    def close(self) -> None:
        """End it, and with it all that it has forked."""
        self._line.close()
        self._process.kill()
        self._process.wait()

    def fork(self, layer: LayerName, program: Program) -> Process | None:
        """Return a child, or None when none could be forked."""
        flags, own_user = 0, layer == "namespaces" and namespaces.user_namespaces()
        if layer == "namespaces":
            flags = namespaces.CLONE_NEW | (namespaces.CLONE_NEWUSER if own_user else 0)
        reading, stdin = os.pipe()
        stdout, writing = os.pipe()
        request = {
            "program": program.name,
            "settings": program.arguments[-1],
            "arguments": program.arguments,
            "environment": program.environment,
            "folder": str(program.folder),
            "flags": flags,
            "own_user": own_user,
            "groups": [str(group) for group in program.groups],
            "user": os.geteuid(),
            "group_id": os.getegid(),
        }
        answer = self.ask(request, (reading, writing))
        os.close(reading)
        os.close(writing)
        if "pid" not in answer:
            os.close(stdin)
            os.close(stdout)
            return None
        return Process(self, answer["pid"], os.fdopen(stdin, "wb", 0), os.fdopen(stdout, "rb", 0))

    def holds(self, layer: LayerName) -> bool:
        """Try a layer: whether one that is entered from here holds as one that is started does."""
        if layer not in self._tried:
            self._tried[layer] = layer == "process" or self._try(layer)
        return self._tried[layer]

    def _try(self, layer: LayerName) -> bool:
        with trial.stage() as out:
            start = layers.prepare(layer, trial.NoJob(), out, trial.LIMITS, [])
            settings = [str(out / layers.SETTINGS_FILE)]
            environment = child_environment(out, "1")
            child = self.fork(
                layer, Program(settings, environment, out / "tmp", start.groups, "inside")
            )
            if child is None:
                return False
            try:
                return child.wait(trial.PATIENCE_S) == 0
            except subprocess.TimeoutExpired:
                child.kill()
                return False
            finally:
                child.stdin.close()
                child.stdout.close()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None


_kept: dict[str, Nursery] = {}


def can_fork(layer: LayerName, job: BaseModel) -> bool:
    """Tell whether children of a job may come from the nursery."""
    plain = getattr(job, "device", "cpu") == "cpu" and getattr(job, "threads", 1) == 1
    plain = plain and not getattr(job, "alone", False)
    known = sys.platform == "linux" and platform.machine() in MACHINES
    return known and layer != "bubblewrap" and plain


def fork(layer: LayerName, job: BaseModel, program: Program, flags: tuple[str, ...]) -> Any:
    """Return a child of the nursery, or None when this one has to start cold."""
    if not can_fork(layer, job):
        return None
    nursery = _kept.get("")
    if nursery is None or not nursery.alive:
        nursery = _kept[""] = Nursery(flags)
        atexit.register(nursery.close)
    return nursery.fork(layer, program) if nursery.holds(layer) else None
