"""The kernel's own limit on a child's processes and threads together: a control group (cgroup).

The parent counts four times a second; a fork bomb makes thousands of processes between two looks,
and the more there are, the slower the look. RLIMIT_NPROC does not help: it counts everything the
user runs, and the kernel does not apply it to root. A group's ``pids.max`` does what is wanted,
where the hub may make groups: as root, or where the system has handed a part of the tree over.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import psutil

TREE = Path("/sys/fs/cgroup")
PREFIX = "hub-"
# Its maker and a count. Other programs' groups may be called hub-something, too.
OURS = re.compile(rf"{PREFIX}([0-9]{{1,9}})-[0-9]{{1,9}}")

# Enter the groups up to "--", then become the rest of the arguments.
ENTER = (
    'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"'
)

_counter = itertools.count(1)


def limiting(tasks: int) -> list[Path]:
    """Return a group in which there are never more processes and threads than ``tasks``.

    Where none can be made the list is empty; ``available`` tells.
    """
    home = available()
    if home is not None:
        with contextlib.suppress(OSError):  # the system allows no more of them, or took them back
            return [make_group(home, tasks)]
    return []


def entering(groups: Sequence[Path], command: list[str]) -> list[str]:
    """Return a command that enters groups first; the command itself where there are none."""
    if not groups:
        return command
    return ["/bin/sh", "-c", ENTER, "enter", *map(str, groups), "--", *command]


def make_group(home: Path, tasks: int) -> Path:
    """Make an empty group for one child, with a limit on its processes and threads.

    Raises:
        OSError: It cannot be made here.
    """
    group = new_group(home)
    (group / "pids.max").write_text(f"{tasks}\n", encoding="ascii")
    return group


def new_group(home: Path) -> Path:
    """Make an empty group for one child. It goes when this process ends, or is found dead.

    Raises:
        OSError: It cannot be made here.
    """
    sweep(home)
    group = home / f"{PREFIX}{os.getpid()}-{next(_counter)}"
    group.mkdir()
    atexit.register(remove, group)
    return group


def sweep(home: Path) -> None:
    """Remove the groups of hubs that were killed; a group in use cannot be removed."""
    for group in home.glob(f"{PREFIX}*"):
        ours = OURS.fullmatch(group.name)
        if ours and not psutil.pid_exists(int(ours[1])):
            remove(group)


def remove(group: Path) -> None:
    """Remove an empty group; one with processes stays until they have ended."""
    with contextlib.suppress(OSError):
        group.rmdir()


@cache
def available() -> Path | None:
    """Return where groups can be made; found out by entering one."""
    return first_usable(homes, lambda home: make_group(home, 16))


def first_usable(
    homes_in: Callable[[str], list[Path]],
    make: Callable[[Path], Path],
    works: Callable[[Path], object] = lambda group: True,
) -> Path | None:
    """Return the first folder in which a group can be made and entered, or None.

    Args:
        homes_in: From ``/proc/self/cgroup`` to the folders to try.
        make: Makes a group in a folder.
        works: Asked once a program has run in the group.
    """
    if sys.platform != "linux":
        return None
    for home in homes_in(Path("/proc/self/cgroup").read_text(encoding="utf-8")):
        with contextlib.suppress(OSError):
            group = make(home)
            trial = entering([group], ["/bin/true"])
            done = subprocess.run(trial, capture_output=True, check=False)  # noqa: S603 - our own
            worked = works(group)
            remove(group)
            if done.returncode == 0 and worked:
                return home
    return None


def homes(told: str, tree: Path = TREE) -> list[Path]:
    """Return the folders in which a group with a limit on processes may be possible.

    Args:
        told: ``/proc/self/cgroup``.
        tree: Where the groups are mounted.
    """
    return homes_with("pids", told, tree, hands_on_pids)


def homes_with(
    controller: str, told: str, tree: Path, hands_on: Callable[[Path], bool] = lambda home: True
) -> list[Path]:
    """Return the folders in which a group with a controller may be possible.

    Args:
        controller: Its name in version 1.
        told: ``/proc/self/cgroup``: lines of ``number:controllers:path``.
        tree: Where the groups are mounted.
        hands_on: Whether groups in a folder of version 2 have what the controller does.
    """
    found = []
    for line in told.splitlines():
        _, controllers, path = line.split(":", 2)
        inside = path.strip("/")
        if controller in controllers.split(","):  # version 1: below this process's own group
            found.append(tree / controller / inside)
        elif not controllers:  # version 2: a group holds processes or groups, so beside one's own
            home = (tree / inside).parent if inside else tree
            if hands_on(home):
                found.append(home)
    return found


def hands_on_pids(home: Path) -> bool:
    """Tell whether groups below one of version 2 have ``pids.max``."""
    try:
        controllers = (home / "cgroup.subtree_control").read_text(encoding="ascii")
    except OSError:
        return False  # version 2 is not mounted there
    return "pids" in controllers.split()
