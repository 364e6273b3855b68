"""How a child ended, in words."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from harness.sandbox.events import without_control

MOST_LINES = 40


def shown_trace(lines: Sequence[str]) -> tuple[str, ...]:
    """Clean the lines of a traceback that a child sent."""
    return tuple(without_control(line)[:300] for line in lines[-MOST_LINES:])


def signal_name(code: int | None) -> str | None:
    """Return the signal that ended a process; 128 + number counts, too."""
    if code is None or 0 <= code <= 128:
        return None
    try:
        return signal.Signals(-code if code < 0 else code - 128).name
    except ValueError:
        return None


def describe_exit(code: int) -> str:
    """Say in words how a process ended."""
    name = signal_name(code)
    if name is None:
        return f"exited with code {code}"
    hint = " (often: out of memory)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"
