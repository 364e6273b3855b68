"""HUB-C26: lora_scale 0 is the base, a half is half, and nothing is dropped while drawing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.generation import GenerationSeen

TOLERANCE = 0.15  # of the full effect


def check(seen: GenerationSeen) -> Iterator[Symptom]:
    """Compare pictures with different scales and modes, and the U-Net's first answers."""
    from harness.gate.experiments.generation import distance

    dropped = distance(seen.plain, seen.training_mode)
    if dropped > 0.5:
        yield Symptom(
            f"Pictures drawn while the model is in training mode differ by {dropped:.1f} of 255 "
            "from "
            "those in eval mode.",
            meaning="Dropout is active while drawing; every picture is a little damaged.",
            fix="Call pipeline.unet.eval() (and adapter.eval()) before the pipeline.",
        )
    if seen.off is None:
        if seen.can_be_scaled:
            yield Symptom(
                f"lora_scale 0 was refused although layers have a lora_scale: {seen.refused}"
            )
        return
    apart, effect = distance(seen.off, seen.base), distance(seen.plain, seen.base)
    if apart > max(0.5, 0.05 * effect):
        yield Symptom(
            f"With lora_scale 0 the pictures differ by {apart:.1f} of 255 from the base's; with "
            "1 by "
            f"{effect:.1f}."
        )
    elif seen.effects is not None and abs(seen.effects[0] - 0.5) > TOLERANCE:
        yield Symptom(
            f"lora_scale 0.5 has {seen.effects[0]:.0%} of the full effect on the U-Net's answer "
            "instead of half."
        )


PROBE = Probe(
    id="HUB-C26",
    title="lora_scale or dropout act wrongly while drawing",
    experiment="generation",
    hook="generate",
    owners=("make_lora", "generate"),
    check=check,
    meaning="Setting the adapter's strength to 0 or to a half gives something else.",
    fix="Multiply the correction by lora_scale in each layer, once: (x A^T B^T) * scale * "
    "lora_scale; "
    "in generate, set lora_scale of all layers that have it.",
    calls=("lora_scale", "set_lora_scale", "eval"),
    because=("HUB-C51", "HUB-C52", "HUB-C20", "HUB-C04"),
    exemptible=True,
)
