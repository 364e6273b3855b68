"""What every command line of the project makes of a fault: a message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from .errors import HubError

FAILED = 1
WRONG_CALL = 2
INTERRUPTED = 130


def run(
    work: Callable[[], int | None],
    *,
    expected: tuple[type[Exception], ...] = (OSError,),
    stopped: str = "Stopped. No file was left half-written.",
) -> int:
    """Do the work of a command and return its exit code; messages go to the error output.

    Args:
        work: Returns an exit code; None is 0.
        expected: Exceptions besides the hub's own whose text alone tells the user enough. Any
            other is a fault of the program and keeps its traceback. With ValueError among them,
            settings that a record refused are a wrong call.
        stopped: What Ctrl-C prints, unless the interruption brings words of its own.

    Returns:
        What ``work`` returned; 1 after a fault, 2 after a wrong call, 130 after Ctrl-C.
    """
    try:
        code = work() or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # `inspect ... | head` closes the pipe early: no fault, and Python must not try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except HubError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as stop:
        print(f"\n{stop if stop.args else stopped}", file=sys.stderr)
        return INTERRUPTED
    except expected as error:
        wrong = wrong_values(error)
        for line in wrong or (str(error),):
            print(f"error: {line}", file=sys.stderr)
        return WRONG_CALL if wrong else FAILED


def wrong_values(error: Exception) -> tuple[str, ...]:
    """Return a line for each setting that a record refused; none for any other exception."""
    from pydantic import ValidationError  # after a fault only: command lines have to start fast

    if not isinstance(error, ValidationError):
        return ()
    return tuple(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
