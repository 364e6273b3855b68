"""What a worker's job cost from the moment before its contribution is imported: the hub's meter.

The worker says once that it is ready, before any of the contribution's code has run, and waits.
The hub reads the kernel's books and lets it go on. It reads them again when the last process has
ended. Nothing that a contribution writes, patches or kills lies between the two.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox.files import GO_FILE
from toolkit.core import atomic
from toolkit.core.errors import EnvironmentFault

READY = "ready for the contribution"
LOOK_S = 0.002
LONGEST_WAIT_S = 600.0  # a hub that has not answered by then is gone


@dataclass(frozen=True)
class Cost:
    """What was used between the two readings, by all processes together.

    Args:
        cpu_s: Processor time, seconds.
        wall_s: Time on the hub's clock, seconds.
        beside_s: Processor time of other processes than the worker, from their start, seconds; up
            to a look's worth of the worker's last moments counts as theirs.
        memory_bytes: The largest resident memory, from the start of the process.
    """

    cpu_s: float
    wall_s: float
    beside_s: float
    memory_bytes: int


class Meter:
    """The hub's side.

    Args:
        out: The child's folder.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._began: tuple[float, float] | None = None
        self.cost: Cost | None = None

    def start(self, cpu_s: float) -> None:
        """Note the first reading and let the worker go on; later words of "ready" mean nothing."""
        if self._began is None:
            self._began = (cpu_s, time.monotonic())
            atomic.write_text(self._out / GO_FILE, "")

    def stop(self, cpu_s: float, worker_s: float, memory_bytes: int) -> None:
        """Note the last reading, after all processes have ended."""
        if self._began is not None:
            cpu_before, before = self._began
            wall_s = time.monotonic() - before
            used, beside = max(0.0, cpu_s - cpu_before), max(0.0, cpu_s - worker_s)
            self.cost = Cost(used, wall_s, beside, memory_bytes)


def wait_for_the_hub(out: Path) -> None:
    """Wait, in the worker, until the hub has read its books.

    Raises:
        EnvironmentFault: It never did.
    """
    go, until = out / GO_FILE, time.monotonic() + LONGEST_WAIT_S
    while not go.exists():
        if time.monotonic() > until:
            raise EnvironmentFault(
                f"The hub did not answer within {LONGEST_WAIT_S:.0f} s.", where=str(go)
            )
        time.sleep(LOOK_S)
