"""From exceptions to messages and exit codes, the same for every command line of the toolkit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from pydantic import ValidationError

from .errors import HubError

FAILED, WRONG_CALL, INTERRUPTED = 1, 2, 130


def exit_code(
    command: Callable[[], int | None],
    *,
    stopped: str = "Stopped. No file was left half-written.",
    faults: tuple[type[Exception], ...] = (OSError, ValueError, FloatingPointError),
) -> int:
    """Run a command; print what goes wrong as a message, not as a traceback.

    Args:
        command: Does the work and returns its own exit code; None is 0.
        stopped: What to say after Ctrl-C, unless the exception says it itself.
        faults: What a wrong file or value raises, besides HubError; code 1. With ValueError among
            them, what a record refuses is a wrong option.

    Returns:
        The command's own code; 1 when a file or value is at fault, 2 for an option out of its
        range, 130 after Ctrl-C; of a HubError its ``exit_code``. Other exceptions pass through.
    """
    try:
        code = command() or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not reader_has_left():
            raise
        return 0
    except HubError as error:
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt as stop:
        say(f"\n{stop.args[0] if stop.args else stopped}")
        return INTERRUPTED
    except faults as error:
        if isinstance(error, ValidationError):
            for fault in error.errors():
                say(f"error: {'.'.join(map(str, fault['loc']))}: {fault['msg']}")
            return WRONG_CALL
        say(f"error: {error}")
        return FAILED


def say(message: str) -> None:
    """Print a message where messages go: not among the results."""
    print(message, file=sys.stderr)


def reader_has_left() -> bool:
    """Tell whether the reader of the results has left, as in ``inspect ... | head``: no fault."""
    try:
        print(flush=True)
    except BrokenPipeError:
        # Python flushes once more at its end, and must not complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
