"""HUB-C04: moving the adapter moves what the model says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.adapter import AdapterSeen

LIMIT = 1e-4  # relative change of the output when every tensor is moved by half its size


def check(seen: AdapterSeen) -> Iterator[Symptom]:
    """Compare the model's answer before and after the adapter was moved."""
    effect = max(seen.effect, seen.text_effect)
    if not effect > LIMIT:
        yield Symptom(
            f"After every one of {seen.trainable} trainable tensors was moved, the U-Net's answer "
            f"changed by {seen.effect:.1e} (relative)."
        )


PROBE = Probe(
    id="HUB-C04",
    title="The adapter is never called",
    experiment="adapter",
    hook="make_lora",
    owners=("make_lora",),
    check=check,
    meaning="The layers own a LoRA but do not use it: the loss does not depend on it, and training "
    "changes nothing.",
    fix="Add its output in the layer's forward: layer.register_forward_hook(lambda m, x, y: "
    "y + m.lora(x[0])), or replace the layer by one that calls both.",
    calls=("setattr", "register_forward_hook", "forward"),
)
