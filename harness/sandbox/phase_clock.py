"""The parent's clock for a worker's phases.

The worker says only *that* a phase begins; the clock is the parent's, so a contribution that
patches ``time`` changes nothing. ``harness.sandbox.watch`` counts
memory and processor time.
"""

from __future__ import annotations

import time

MOST_MARKS = 1000  # a stranger's process may say anything, as often as it likes


def training_phase(seed: int) -> str:
    """Name the phase in which the train hook runs."""
    return f"seed {seed}: training"


def reading_phase(seed: int) -> str:
    """Name the phase that follows it."""
    return f"seed {seed}: reading the weights"


class Meter:
    """Notes when a worker's phases were first heard of."""

    def __init__(self) -> None:
        self._marks: dict[str, float] = {}

    def note(self, phase: str) -> None:
        """Remember when a phase that matters began."""
        matters = phase.endswith((": training", ": reading the weights"))
        if matters and len(self._marks) < MOST_MARKS:
            self._marks.setdefault(phase, time.monotonic())

    def train_seconds(self, seeds: tuple[int, ...]) -> dict[int, float]:
        """Return the wall time of each seed's train hook; a seed without both marks has none."""
        found = {}
        for seed in seeds:
            began, ended = (
                self._marks.get(phase) for phase in (training_phase(seed), reading_phase(seed))
            )
            if began is not None and ended is not None:
                found[seed] = max(0.0, ended - began)
        return found
