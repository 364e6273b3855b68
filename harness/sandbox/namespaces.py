"""The same small root without bubblewrap: ``unshare`` of util-linux and the guard's own mounts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

NAMESPACES = ("--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child")
# The same for clone(2): mount, uts, ipc, process and network; and the user's.
CLONE_NEW = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
CLONE_NEWUSER = 0x10000000


def command(guarded: Sequence[str]) -> list[str]:
    """Return the command that runs the guard as process 1 of namespaces of its own.

    Root without user namespaces (some containers) still gets the others.
    """
    user = ["--user", "--map-root-user"] if user_namespaces() else []
    return [shutil.which("unshare") or "unshare", *user, *NAMESPACES, "--", *guarded]


def user_namespaces() -> bool:
    """Tell whether to ask for a user namespace: always, unless only root's way is open."""
    try:
        with open("/proc/sys/user/max_user_namespaces", encoding="ascii") as file:
            return int(file.read()) > 0 or os.geteuid() != 0
    except OSError:
        return os.geteuid() != 0
