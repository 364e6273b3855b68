"""HUB-C41: after make_lora nothing but the adapter can be trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.adapter import AdapterSeen


def check(seen: AdapterSeen) -> Iterator[Symptom]:
    """Look for trainable parameters of the models outside the adapter."""
    if seen.trainable_outside:
        names = ", ".join(seen.trainable_outside[:3])
        yield Symptom(
            f"{len(seen.trainable_outside)} parameters outside the adapter are trainable: {names}."
        )


PROBE = Probe(
    id="HUB-C41",
    title="The base is not frozen",
    experiment="adapter",
    hook="make_lora",
    owners=("make_lora",),
    check=check,
    meaning="Gradients are computed for the whole model, and a loop that trains what can be "
    "trained "
    "changes the base, which no file keeps.",
    fix="First pipeline.unet.requires_grad_(False), and the same for vae and text_encoder; then "
    "attach the adapter.",
    calls=("requires_grad_", "requires_grad", "named_modules"),
)
