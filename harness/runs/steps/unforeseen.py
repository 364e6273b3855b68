"""Whose fault an exception is that no step foresaw: the machine's or the hub's, never a guess.

A contribution's own faults come back from its worker as answers, and what a worker may hand over is
checked before it is used. So what is raised in the parent is the machine's, where the kernel says
so, and else the hub's.
"""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from harness import paths
from harness.sandbox.events import without_control
from toolkit.core.errors import EnvironmentFault, HubError, describe

# No space, quota, read-only, not permitted, too many open files, no memory, a broken device.
OF_THE_MACHINE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO),
)
LONGEST = 500  # characters of an exception's text
SHOWN_LINES = 12


def whose_fault(error: Exception) -> HubError:
    """Return the fault that an exception of the parent is."""
    if isinstance(error, HubError):
        return error
    text = without_control(describe(error))[:LONGEST]
    if isinstance(error, MemoryError):
        return EnvironmentFault(
            f"The machine has too little memory: {text}.", fix="Close other programs, run again."
        )
    if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
        return EnvironmentFault(
            f"The machine refused the hub: {text}.",
            fix="Make room, or give the hub the right to that file; `nox -s clean` lists what can "
            "go. It is no fault of the contribution.",
        )
    return HubError(
        f"The hub failed: {text}.",
        where=innermost_of_the_hub(error),
        fix="It is no fault of the contribution. Please report it with the lines below.",
    )


def innermost_of_the_hub(error: Exception) -> str | None:
    """Return ``file:line in function`` of the innermost frame in the repository."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(paths.ROOT) and "site-packages" not in path.parts:
            return f"{path.relative_to(paths.ROOT).as_posix()}:{frame.lineno} in {frame.name}"
    return None


def last_lines(error: Exception) -> tuple[str, ...]:
    """Return the end of the traceback, for a report; nothing of a fault that explains itself."""
    if isinstance(error, HubError):
        return ()
    whole = "".join(traceback.format_exception(error)).splitlines()
    return tuple(without_control(line)[:300] for line in whole[-SHOWN_LINES:])
