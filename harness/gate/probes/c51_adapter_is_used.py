"""HUB-C51: generate draws with the adapter that was trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.generation import GenerationSeen


def check(seen: GenerationSeen) -> Iterator[Symptom]:
    """Compare the base's pictures with those after the adapter was moved."""
    from harness.gate.experiments.generation import distance

    effect = distance(seen.plain, seen.base)
    if not effect > 0.5:
        yield Symptom(
            f"After the adapter was moved the pictures changed by {effect:.2f} of 255 in the mean."
        )


PROBE = Probe(
    id="HUB-C51",
    title="generate does not use the adapter",
    experiment="generation",
    hook="generate",
    owners=("make_lora", "generate"),
    check=check,
    meaning="It draws with the base, or with another copy of it: training makes no difference.",
    fix="Draw with the pipeline that is handed over; load no other one, and set lora_scale to "
    "config.lora_scale.",
    calls=("from_pretrained", "lora_scale", "disable_adapters"),
    because=("HUB-C04", "HUB-C03"),
)
