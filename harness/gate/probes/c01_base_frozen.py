"""HUB-C01: training leaves the base as it was. Every tensor is compared bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Compare every tensor of the three models that is not the adapter's."""
    changed = seen.base_changed
    if changed:
        shown = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        yield Symptom(
            f"{len(changed)} tensors of the base changed during training: {shown}.",
            place=seen.spy.steps[0].place if seen.spy.steps else None,
        )


PROBE = Probe(
    id="HUB-C01",
    title="Training changes the base model",
    experiment="training",
    hook="train",
    check=check,
    meaning="The file that is saved holds only the adapter, so it cannot bring back what was "
    "trained.",
    fix="Freeze the base in make_lora (pipeline.unet.requires_grad_(False) before the adapter is "
    "attached) and give the optimiser adapter.parameters() alone.",
    calls=("AdamW", "Adam", "SGD", "parameters", "step"),
    because=("HUB-C41", "HUB-C02"),
)
