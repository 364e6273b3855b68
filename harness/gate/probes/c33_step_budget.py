"""HUB-C33: the loop makes as many optimiser steps as the budget says, and reports each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Compare steps made, steps reported and losses returned with config.steps."""
    wanted = seen.config.steps
    last = seen.steps[-1].place if seen.steps else None
    made = seen.steps_made
    if seen.steps and made != wanted:
        yield Symptom(f"{made} optimiser steps were made; config.steps is {wanted}.", place=last)
    if len(seen.losses) != wanted:
        yield Symptom(
            f"TrainResult holds {len(seen.losses)} losses; config.steps is {wanted}.",
            fix="Keep one loss per optimiser step.",
        )
    numbers = seen.recorder.numbers
    if numbers != list(range(1, wanted + 1)):
        shown = ", ".join(map(str, numbers[:4])) + (", ..." if len(numbers) > 4 else "")
        yield Symptom(
            f"reporter.step was called {len(numbers)} times ({shown or 'never'}); wanted 1 to "
            f"{wanted}, each once.",
            meaning="The progress bar is wrong.",
            fix="Call reporter.step(step, loss) after each optimiser step, counting from 1.",
        )


PROBE = Probe(
    id="HUB-C33",
    title="The step budget is not kept",
    experiment="training",
    hook="train",
    check=check,
    meaning="Contributions make equally many steps; with more or fewer, rows cannot be compared.",
    fix="for step in range(1, config.steps + 1): ... optimizer.step() once in each turn.",
    calls=("steps", "step", "range"),
)
