"""HUB-C34: each step learns from batch_size pictures, no more and no fewer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Count the pictures that went through the U-Net with a gradient."""
    if not seen.calls:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    used = sum(len(call.sample) for call in seen.calls)
    budget = seen.config.steps * seen.config.batch_size
    if not 0.95 * budget <= used <= 1.05 * budget:
        yield Symptom(
            f"{used} pictures went through the U-Net with gradients; the budget is "
            f"{seen.config.steps} steps of {seen.config.batch_size}, {budget} pictures.",
            place=seen.calls[0].place,
        )


PROBE = Probe(
    id="HUB-C34",
    title="The picture budget is not kept",
    experiment="training",
    hook="train",
    check=check,
    meaning="All contributions learn from equally many pictures; otherwise time is compared, not "
    "method.",
    fix="Use config.batch_size for each optimiser step; with accumulation, split it into parts.",
    calls=("batch_size", "DataLoader"),
    because=("HUB-C33",),
    exemptible=True,
)
