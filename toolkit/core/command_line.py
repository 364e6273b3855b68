"""From exceptions to messages and exit codes, the same for every command line of the toolkit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import ValidationError

from .errors import HubError
from .validation import faults_of

FAILED, WRONG_CALL, INTERRUPTED = 1, 2, 130


class Fault(NamedTuple):
    """What a person needs to know of a command that failed."""

    what: str
    fix: str


def exit_code(
    command: Callable[[], int | None],
    *,
    stopped: str = "Stopped. No file was left half-written.",
    faults: tuple[type[Exception], ...] = (OSError, ValueError, FloatingPointError),
    options: Mapping[str, str] | None = None,
) -> int:
    """Run a command; print what goes wrong as a message, not as a traceback.

    Args:
        command: Does the work and returns its own exit code; None is 0.
        stopped: What to say after Ctrl-C, unless the exception says it itself.
        faults: What a wrong file or value raises, besides HubError; code 1. With ValueError among
            them, what a record refuses is a wrong option.
        options: Field of a record -> the option that sets it, for what a record refuses.

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
            say(f"error: These options are not valid: {faults_of(error, options)}.")
            return WRONG_CALL
        say(f"error: {error}")
        return FAILED


def say(message: str) -> None:
    """Print a message where messages go: not among the results."""
    print(message, file=sys.stderr)


def fault_in(output: str) -> Fault:
    """Return what a command's last message says: ``error:`` and its ``fix``, without the place."""
    _, found, message = f"\n{output}".rpartition("\nerror: ")
    if not found:
        last = next((line for line in reversed(output.splitlines()) if line.strip()), "nothing")
        return Fault(f"The command ended with a fault of the hub: {last.strip()}", "")
    what, _, rest = message.partition("\n  fix  ")
    what = what.partition("\n  at   ")[0].strip()
    fix, *log = [line.strip() for line in rest.splitlines() if line.strip()] or [""]
    return Fault(f"{what} {log[-1]}" if log else what, "" if log else fix)


def reader_has_left() -> bool:
    """Tell whether the reader of the results has left, as in ``inspect ... | head``: no fault."""
    try:
        print(flush=True)
    except BrokenPipeError:
        # Python flushes once more at its end, and must not complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
