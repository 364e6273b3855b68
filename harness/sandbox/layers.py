"""The layers, strongest first; which of them work here; the command that starts a child in one.

A layer counts as available only after a child has been started in it and has found out from
inside that it holds (``trial``). What was found is remembered until the machine starts again.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import psutil
from pydantic import BaseModel

from harness import paths
from harness.sandbox import books, bubblewrap, namespaces, task_limit
from harness.sandbox.limits import Limits
from harness.sandbox.mounts import Mount, mounts_of
from harness.sandbox.view import View, view_of
from toolkit.core import atomic

LayerName = Literal["bubblewrap", "namespaces", "landlock", "process"]
LAYERS: tuple[LayerName, ...] = get_args(LayerName)

PROMISES: dict[LayerName, str] = {
    "bubblewrap": "no network, sees only what it needs, writes only its run's folder",
    "namespaces": "no network, sees only what it needs, writes only its run's folder",
    "landlock": "no network, reads only what it needs, writes only its run's folder; sees that "
    "other processes exist",
    "process": "limits and a cleared environment only: the code runs with your own rights",
}

WANTED = "HUB_ISOLATION"
REQUIRED = "HUB_REQUIRE_ISOLATION"

SETTINGS_FILE = "sandbox.json"
GUARD = paths.ROOT / "harness" / "sandbox" / "guard.py"
GUARD_FLAGS = ("-I", "-S")


@dataclass(frozen=True)
class Start:
    """How to start a child.

    Args:
        entered: The command of the layer, for a process that is in its groups.
        groups: The control groups that it has to enter first.
        holds_stdin: Whether closing the child's standard input ends it and all it started.
        books: The group in which the kernel counts its processor time; None where there is none.
    """

    entered: list[str]
    groups: list[Path]
    holds_stdin: bool
    books: Path | None

    @property
    def command(self) -> list[str]:
        """The whole command: it enters the groups, then the layer."""
        return task_limit.entering(self.groups, self.entered)


def prepare(
    layer: LayerName, job: BaseModel, out: Path, limits: Limits, program: list[str]
) -> Start:
    """Write the child's settings into its folder and return how to start it in a layer."""
    cuda = str(getattr(job, "device", "cpu")).startswith("cuda")
    view = view_of(job, out)
    mounts = mounts_of(view) if layer in ("bubblewrap", "namespaces") else []
    settings = {
        "layer": layer,
        "guarded": sys.platform == "linux",
        "folder": str(out / "tmp"),
        "mounts": mounts if layer == "namespaces" else [],
        "filters": layer != "process",
        "landlock": landlock_rules(view) if layer == "landlock" else None,
        "unix_sockets": layer in ("bubblewrap", "namespaces"),
        "cuda": cuda,
        "rlimits": rlimits(limits, cuda),
    }
    file = out / SETTINGS_FILE
    atomic.write_text(file, json.dumps(settings, indent=1))
    whole = command(layer, mounts, file, [*program, str(file)])
    groups, counting = task_limit.limiting(limits.processes + limits.threads), books.open_books()
    groups += [counting] if counting else []
    return Start(whole, groups, holds_stdin=True, books=counting)


def command(layer: LayerName, mounts: list[Mount], settings: Path, program: list[str]) -> list[str]:
    """Return the command of one layer."""
    guarded = [sys.executable, *GUARD_FLAGS, str(GUARD), str(settings), "--", *program]
    if layer == "bubblewrap":
        return bubblewrap.command(mounts, guarded)
    if layer == "namespaces":
        return namespaces.command(guarded)
    # Without Linux there is no guard: the child watches its standard input itself.
    return guarded if sys.platform == "linux" else program


def landlock_rules(view: View) -> dict[str, Any]:
    """Return a view as Landlock's lists; /proc shows nothing of processes outside (no ptrace)."""
    harmless = [f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
    return {
        "read": [str(path) for path in (*view.readable, Path("/proc"))],
        "write": [str(view.out), *harmless, *(str(node) for node in view.devices)],
        "packages": packages_on_the_way(view),
    }


def packages_on_the_way(view: View) -> dict[str, str]:
    """Return the folders between the repository's root and what is shown, by their module names."""
    found = {}
    for path in view.project:
        if path.is_relative_to(paths.ROOT) and path.is_dir():
            parts = path.relative_to(paths.ROOT).parts
            for count in range(1, len(parts) + 1):
                found[".".join(parts[:count])] = str(paths.ROOT.joinpath(*parts[:count]))
    return found


def rlimits(limits: Limits, cuda: bool) -> dict[str, int]:
    """Return the kernel's own limits per process, behind those that the parent watches.

    The address space (AS) is left alone: torch reserves far more than it uses. Data is limited to
    twice what the parent allows, so that it is the parent who tells.
    """
    wanted = {
        "CORE": 0,
        "CPU": int(limits.cpu_s) + 1,
        "FSIZE": limits.disk_bytes,
        "NOFILE": 1024,
        "NPROC": tasks_of_user() + 4 * limits.processes,
    }
    if not cuda:
        wanted["DATA"] = 2 * limits.memory_bytes
    return wanted


def tasks_of_user() -> int:
    """Return how many processes and threads the user has now; the limit is per user."""
    if not hasattr(os, "getuid"):
        return 0
    user, count = os.getuid(), 0
    for process in psutil.process_iter(["uids", "num_threads"]):
        uids = process.info["uids"]
        if uids is not None and uids.real == user:
            count += process.info["num_threads"] or 1
    return count


# --- which layer --------------------------------------------------------------------------------
