"""HUB-C19: what is saved is an adapter: small, finite, and nothing but the adapter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.adapter import AdapterSeen


def check(seen: AdapterSeen) -> Iterator[Symptom]:
    """Look at what the module that make_lora returned holds."""
    if seen.frozen_inside:
        yield Symptom(
            f"The returned module holds {len(seen.frozen_inside)} frozen parameters: "
            f"{', '.join(seen.frozen_inside[:3])}.",
            severity="error" if len(seen.frozen_inside) > seen.trainable else "hint",
        )
    if not seen.finite:
        yield Symptom("The adapter holds NaN or infinity.", meaning="The pictures will be black.")
    if seen.parameters >= seen.base_parameters:
        yield Symptom(
            f"The adapter has {seen.parameters:,} trainable parameters, the tiny U-Net it adapts "
            f"{seen.base_parameters:,}.",
            severity="hint",
            meaning="That is no longer a small file beside the base.",
            fix="Lower the rank, or adapt fewer layers.",
        )


PROBE = Probe(
    id="HUB-C19",
    title="The adapter holds more than an adapter",
    experiment="adapter",
    hook="make_lora",
    owners=("make_lora",),
    check=check,
    meaning="The saved file holds the base as well: gigabytes with the real Stable Diffusion.",
    fix="Return a module of the LoRA layers alone, for instance nn.ModuleList(loras).",
    calls=("return", "ModuleList", "ModuleDict"),
    exemptible=True,
)
