"""A one-way line of small messages from a worker to its parent: a file of JSON lines.

A file and not the standard output, because the standard output belongs to the contribution's code,
and a file works the same on every operating system.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

# Read at most this much at a time, bytes.
CHUNK = 1 << 20
LONGEST_TEXT = 4000  # characters of one text in an answer

_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # they turn the order of what follows round
)

# At the start of any line, whatever a runner takes for one.
_LINE_ENDS = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
_COMMAND = re.compile(rf"(^|[{_LINE_ENDS}])([^\S{_LINE_ENDS}]*(?:::|##\[))")


def without_control(text: str) -> str:
    """Take out of a stranger's text what a terminal or a CI runner would obey.

    Escape sequences, control characters (line ends excepted) and marks of direction go. A workflow
    command at the start of a line (``::set-env``, ``##[error]``) gets a dot before it.
    """
    return _COMMAND.sub(r"\1.\2", _CONTROL.sub("", text))


def cleaned(value: Any) -> Any:
    """Return a value of JSON whose texts and names are harmless and of bounded length."""
    if isinstance(value, str):
        return without_control(value)[:LONGEST_TEXT]
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    if isinstance(value, dict):
        return {cleaned(name): cleaned(one) for name, one in value.items()}
    return value


def clean_json(data: bytes) -> bytes:
    """Return JSON from a stranger's process as JSON whose texts are ``cleaned``.

    Raises:
        ValueError: It is none, or is nested without end.
    """
    try:
        return json.dumps(cleaned(json.loads(data))).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


class EventWriter:
    """The worker's end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def phase(self, text: str, done: float) -> None:
        """Say what happens now.

        Args:
            text: A few words, such as "seed 0: training".
            done: Share of the whole job that is finished, 0 to 1.
        """
        self._send({"phase": text, "done": done})

    def _send(self, message: dict[str, Any]) -> None:
        self._file.write(json.dumps(message) + "\n")


class StepReporter:
    """Turns ``reporter.step(step, loss)`` into events for one seed of a job."""

    def __init__(
        self, events: EventWriter, label: str, steps: int, start: float, end: float
    ) -> None:
        self._events = events
        self._label = label
        self._steps = steps
        self._start = start
        self._end = end

    def step(self, step: int, loss: float) -> None:
        """Report one finished optimiser step (1-based) and its training loss."""
        share = min(max(step / self._steps, 0.0), 1.0)
        shown = f"{loss:.4f}" if math.isfinite(loss) else str(loss)
        self._events.phase(
            f"{self._label}: step {step}/{self._steps}, loss {shown}",
            self._start + (self._end - self._start) * share,
        )


class LineReader:
    """Reads a file of lines while a stranger's process writes it: what is new at each look.

    It may be a link by now, or a pipe, or endless: those give nothing, and a piece at a time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> list[bytes]:
        """Return the lines that are complete since the last look."""
        chunk = self._read()
        end = chunk.rfind(b"\n") + 1
        if end == 0 and len(chunk) == CHUNK:
            end = CHUNK  # a line that long is none of ours
        self._offset += end
        return chunk[:end].splitlines()

    def _read(self) -> bytes:
        """Return the next piece; nothing when a stranger put a link or a pipe in its place."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            handle = os.open(self._path, flags | getattr(os, "O_BINARY", 0))
        except OSError:
            return b""
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return b""
            file.seek(self._offset)
            return file.read(CHUNK)


class EventReader:
    """The parent's end: returns what has arrived since the last look."""

    def __init__(self, path: Path) -> None:
        self._reader = LineReader(path)

    def new(self) -> Iterator[tuple[str, float]]:
        """Yield the ``(phase, done)`` messages that are complete and well-formed.

        The file comes from a stranger's process: anything else in it is passed over.
        """
        for line in self._reader.lines():
            try:
                message = json.loads(line)
                text, done = str(message["phase"]), float(message["done"])
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                continue
            yield (
                without_control(text)[:120],
                min(max(done, 0.0), 1.0) if math.isfinite(done) else 0.0,
            )
