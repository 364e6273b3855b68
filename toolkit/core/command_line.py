"""From exceptions to messages and exit codes, the same for every command line of the toolkit."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pydantic import ValidationError

from .errors import HubError

FAILED, WRONG_CALL, INTERRUPTED = 1, 2, 130


def exit_code(
    command: Callable[[], int],
    *,
    stopped: str,
    faults: tuple[type[Exception], ...] = (OSError, ValueError, FloatingPointError),
) -> int:
    """Run a command; print what goes wrong as a message, not as a traceback.

    Args:
        command: Does the work and returns its own exit code.
        stopped: What to say after Ctrl-C, unless the exception says it itself.
        faults: What a wrong file or value raises, besides HubError; code 1.

    Returns:
        The command's own code; 1 when a file or value is at fault, 2 for an option out of its
        range, 130 after Ctrl-C; of a HubError its ``exit_code``. Other exceptions pass through.
    """
    try:
        return command()
    except ValidationError as error:
        for fault in error.errors():
            say(f"error: {'.'.join(map(str, fault['loc']))}: {fault['msg']}")
        return WRONG_CALL
    except HubError as error:
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt as stop:
        say(f"\n{stop.args[0] if stop.args else stopped}")
        return INTERRUPTED
    except faults as error:
        say(f"error: {error}")
        return FAILED


def say(message: str) -> None:
    """Print a message where messages go: not among the results."""
    print(message, file=sys.stderr)
