"""The progress line: step, loss, rate, time left, memory."""

from __future__ import annotations

import sys
import time


class Line:
    """A line on stderr that is written over; off a terminal, one line per tenth of the way.

    Args:
        steps: Of the whole run.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._started = time.monotonic()
        self._first = 0
        self._live = sys.stderr.isatty()

    def start(self, done: int) -> None:
        """Say how many steps were done before: they took no time of this run."""
        self._first, self._started = done, time.monotonic()

    def text(self, step: int, loss: float, memory: int) -> str:
        """Return the line for a finished step; ``memory`` in bytes."""
        passed_s = max(time.monotonic() - self._started, 1e-9)
        rate = (step - self._first) / passed_s  # steps per second
        left_s = round((self._steps - step) / rate)
        speed = f"{rate:.2f} steps/s" if rate >= 1 else f"{1 / rate:.1f} s/step"
        return (
            f"{step}/{self._steps}  loss {loss:.4f}  {speed}  "
            f"{left_s // 60}:{left_s % 60:02d} left  {memory / 2**30:.1f} GiB"
        )

    def show(self, step: int, loss: float, memory: int) -> None:
        """Show a finished step."""
        last = step == self._steps
        if self._live:
            print(
                f"\r\x1b[2K{self.text(step, loss, memory)}",
                end="\n" if last else "",
                file=sys.stderr,
            )
            sys.stderr.flush()
        elif last or step % max(1, self._steps // 10) == 0:
            print(self.text(step, loss, memory), file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        """Print a sentence on a line of its own."""
        print(f"\r\x1b[2K{sentence}" if self._live else sentence, file=sys.stderr, flush=True)
