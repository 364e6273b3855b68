"""Ctrl-C: the first finishes and saves the step, the second stops immediately."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether the run was asked to stop.

    Inside ``with``, the first SIGINT or SIGTERM is only remembered and the second one raises
    KeyboardInterrupt. ``stop_file`` is how a parent asks a process that no signal reaches.

    Args:
        stop_file: The run also ends when this file appears; None for no such file.
        is_main: In other processes than the first, signals are passed over: the first decides.
    """

    def __init__(self, stop_file: Path | None = None, *, is_main: bool = True) -> None:
        self._stop_file = stop_file
        self._is_main = is_main
        self._asked = False
        self._before: dict[signal.Signals, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether to stop after this step."""
        return self._asked or (self._stop_file is not None and self._stop_file.exists())

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if not self._is_main:
            return
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        print(
            "\nStopping: this step is finished and kept first. Once more stops at once.",
            file=sys.stderr,
            flush=True,
        )
