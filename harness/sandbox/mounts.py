"""A view as a list of mounts, made one after the other in an empty root.

Two layers carry it out: bubblewrap as options, namespaces with the system calls of ``enter``.
"""

from __future__ import annotations

import os
from pathlib import Path

from harness import paths
from harness.sandbox.limits import MIB
from harness.sandbox.view import View

# Memory that private folders may take; pages of a tmpfs count for no process.
TMP_BYTES = 64 * MIB
SHM_BYTES = 512 * MIB
FOLDERS_BYTES = 1 * MIB

# Where the kernel is switched. Root may write there by owning the files, without any capability,
# and bubblewrap leaves them open.
KERNEL_SWITCHES = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs")

# (kind, path, argument): "ro", "rw" and "dev" show a source at a path; "tmpfs" takes a size, "link"
# a target; "proc" and "devfs" make what they are called; "seal" makes read-only.
Mount = tuple[str, str, str]


def mounts_of(view: View) -> list[Mount]:
    """Return the mounts in an order in which none hides what an earlier one showed.

    The repository's folder gets an empty one over it before its parts are shown, so that nothing
    else of it is visible even when it lies in a folder that is.
    """
    root = paths.ROOT
    outside = [path for path in view.packages if not path.is_relative_to(root)]
    inside = [path for path in view.packages if path.is_relative_to(root)]
    mounts: list[Mount] = [_shown(path) for path in view.system]
    mounts += [("proc", "/proc", "")]
    mounts += [("ro", switch, switch) for switch in KERNEL_SWITCHES if Path(switch).exists()]
    mounts += [("devfs", "/dev", "")]
    mounts += [("dev", str(node), str(node)) for node in view.devices]
    mounts += [("tmpfs", "/dev/shm", str(SHM_BYTES)), ("tmpfs", "/tmp", str(TMP_BYTES))]  # noqa: S108
    mounts += [_shown(path) for path in outside]
    mounts += [("tmpfs", str(root), str(FOLDERS_BYTES))]
    mounts += [_shown(path) for path in sorted({*inside, *view.project})]
    mounts += [("rw", str(view.out), os.path.realpath(view.out))]
    mounts += [("seal", str(root), ""), ("seal", "/dev", ""), ("seal", "/", "")]
    return mounts


def _shown(path: Path) -> Mount:
    if path.is_symlink() and path.parent == Path("/"):
        return ("link", str(path), str(path.readlink()))  # /lib -> usr/lib
    return ("ro", str(path), os.path.realpath(path))
