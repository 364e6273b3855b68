"""HUB-C03: the adapter is part of the model: its parameters are the model's parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.adapter import AdapterSeen


def check(seen: AdapterSeen) -> Iterator[Symptom]:
    """Look for trainable tensors that no model knows."""
    if seen.unregistered:
        yield Symptom(
            f"{len(seen.unregistered)} of {seen.trainable} trainable tensors of the adapter are in "
            f"neither pipeline.unet nor pipeline.text_encoder: {', '.join(seen.unregistered[:3])}."
        )


PROBE = Probe(
    id="HUB-C03",
    title="The adapter is not part of the model",
    experiment="adapter",
    hook="make_lora",
    owners=("make_lora",),
    check=check,
    meaning="It does not follow the model to a GPU, into a copy or into its state_dict, and "
    "calling "
    "a copy of the model uses another one's adapter.",
    fix="Set the layer's LoRA as a submodule (layer.lora = LoRALayer(...)) and register a forward "
    "hook; do not keep it in a closure or a plain dict.",
    calls=("register_forward_hook", "forward", "setattr"),
)
