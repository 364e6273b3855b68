"""Watch what a contribution does to the machine and to the process, by Python's audit events."""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.gate.places import Finder

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request")
PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
WRITES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "shutil.rmtree", "shutil.copyfile")


@dataclass
class Deed:
    """One thing that was done, and the contribution's line that did it."""

    kind: str  # "network", "process", "write", "read"
    what: str
    place: str


class Attribute:
    """A function or class that a library keeps under a name; equal if it is the very same one.

    Args:
        name: Its name there.
        value: What is kept.
    """

    def __init__(self, name: str, value: object) -> None:
        self.value = value
        module = str(getattr(value, "__module__", ""))
        # torch.compile wraps nn.Module.__init__ and the like when it is first used.
        self.torch_did_it = name.startswith("__") and module.startswith("torch.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Attribute) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


@dataclass
class Audit:
    """Keeps the deeds that happen while a contribution's code is on the stack."""

    finder: Finder | None = None
    scratch: tuple[str, ...] = ()
    deeds: list[Deed] = field(default_factory=list)
    _busy: bool = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Take one audit event."""
        if self.finder is None or self._busy:
            return
        kind = kind_of(event, args)
        if kind is None:
            return
        self._busy = True  # finding the place must not be audited itself
        try:
            what = str(args[0]) if args else event
            if kind == "write" and self.is_scratch(what):
                return
            place = self.finder.caller()
            if place is not None:
                self.deeds.append(Deed(kind, what if kind in ("read", "write") else event, place))
        finally:
            self._busy = False

    def is_scratch(self, path: str) -> bool:
        """Tell whether a path may be written."""
        full = os.path.abspath(path) if not path.isdigit() else path  # noqa: PTH100
        return path.isdigit() or full.startswith((*self.scratch, os.devnull))


_audit = Audit()
_installed: list[bool] = []


def kind_of(event: str, args: tuple[Any, ...]) -> str | None:
    """Return which kind of deed an audit event is, or None when it is of no interest."""
    if event == "open":
        flags = args[2] if len(args) > 2 and isinstance(args[2], int) else 0
        writing = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        return "write" if writing else "read"
    if event in WRITES:
        return "write"
    if event in NETWORK:
        return "network"
    return "process" if event in PROCESSES else None


@contextlib.contextmanager
def watching(finder: Finder, scratch: Path) -> Iterator[list[Deed]]:
    """Collect the deeds inside the block. Audit hooks cannot be removed, so one serves them all."""
    if not _installed:
        sys.addaudithook(_audit)
        _installed.append(True)
    _audit.finder, _audit.deeds = finder, []
    _audit.scratch = (str(scratch.resolve()), str(scratch.absolute()))
    try:
        yield _audit.deeds
    finally:
        _audit.finder = None


def global_state() -> dict[str, Any]:
    """Return what everything in a process shares, by name; two of them can be compared."""
    import diffusers
    import torch
    import transformers

    state: dict[str, Any] = {
        "torch's default dtype": torch.get_default_dtype(),
        "torch's default device": str(torch.get_default_device()),
        "torch's grad mode": torch.is_grad_enabled(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's anomaly detection": torch.is_anomaly_enabled(),
        "the working directory": Path.cwd(),
        "sys.path": tuple(sys.path),
        "the recursion limit": sys.getrecursionlimit(),
    }
    shared = (
        torch.nn.Module,
        torch.nn.Linear,
        torch.nn.Conv2d,
        torch.nn.functional,
        torch.optim.Optimizer,
        torch.optim.AdamW,
        torch.Tensor,
        torch,
        random,
        diffusers.UNet2DConditionModel,
        diffusers.AutoencoderKL,
        diffusers.DDPMScheduler,
        diffusers.StableDiffusionPipeline,
        diffusers.models.attention_processor.Attention,
        transformers.CLIPTextModel,
    )
    for owner in shared:
        for name, value in vars(owner).items():
            if callable(value) and not name.startswith("__abc"):
                state[f"{owner.__name__}.{name}"] = Attribute(name, value)
    return state


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what differs, in words; what was added to a library's module does not count."""
    found = []
    for name, value in before.items():
        now = after.get(name)
        if now != value and not (isinstance(now, Attribute) and now.torch_did_it):
            found.append(
                name if isinstance(value, Attribute) else f"{name} (was {value}, is {now})"
            )
    return found


def live_threads() -> set[str]:
    """Return the names of the running threads that Python knows."""
    # tqdm keeps one daemon for all of its bars; every library that shows one has it.
    return {thread.name for thread in threading.enumerate() if thread.name != "tqdm_monitor"}
