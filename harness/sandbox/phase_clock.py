"""The parent's clock for a worker's phases.

The worker says only *that* a phase begins; the clock is the parent's, so a contribution that
patches ``time`` changes nothing. ``harness.sandbox.watch`` counts
memory and processor time.
"""

from __future__ import annotations

import time


def training_phase(seed: int) -> str:
    """Name the phase in which the train hook runs."""
    return f"seed {seed}: training"


def reading_phase(seed: int) -> str:
    """Name the phase that follows it."""
    return f"seed {seed}: reading the weights"


class Meter:
    """Notes when the train hook began and ended; only the first of each counts."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._ended: float | None = None

    def note(self, phase: str) -> None:
        """Remember when a phase that matters began."""
        if self._began is None and phase.endswith(": training"):
            self._began = time.monotonic()
        if self._ended is None and phase.endswith(": reading the weights"):
            self._ended = time.monotonic()

    @property
    def train_seconds(self) -> float | None:
        """The wall time of the train hook; None without both marks."""
        if self._began is None or self._ended is None:
            return None
        return max(0.0, self._ended - self._began)
