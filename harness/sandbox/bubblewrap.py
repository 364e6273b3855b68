"""The strongest layer: bubblewrap makes a small root of its own for the child.

No network, no other processes in sight, nothing writable but the run's folder and a private /tmp;
everything in it ends with it, and it ends with the hub.

Process 1 in there is the hub's guard, not bubblewrap's own. Into that one others can write through
/proc/1/mem, and no seccomp filter holds it, so it would do for them what theirs refuses. And then
bubblewrap says that it has ended some milliseconds before all that it left running has: time enough
to put a link in the place of a file that the hub is about to read.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from harness.sandbox.mounts import Mount

PROGRAM = "bwrap"

OPTIONS = (
    *("--unshare-all", "--die-with-parent", "--new-session", "--as-pid-1"),
    *("--cap-drop", "ALL"),
)


def command(mounts: Sequence[Mount], guarded: Sequence[str]) -> list[str]:
    """Return the command that runs the guard as process 1 behind these mounts."""
    words = [shutil.which(PROGRAM) or PROGRAM, *OPTIONS]
    for kind, path, argument in mounts:
        words += _option(kind, path, argument)
    return [*words, "--", *guarded]


def _option(kind: str, path: str, argument: str) -> list[str]:
    match kind:
        case "ro":
            return ["--ro-bind", argument, path]
        case "rw":
            return ["--bind", argument, path]
        case "dev":
            return ["--dev-bind", argument, path]
        case "tmpfs":
            return ["--size", argument, "--tmpfs", path]
        case "link":
            return ["--symlink", argument, path]
        case "proc":
            return ["--proc", path]
        case "devfs":
            return ["--dev", path]
        case "seal":
            return ["--remount-ro", path]
    raise ValueError(kind)
