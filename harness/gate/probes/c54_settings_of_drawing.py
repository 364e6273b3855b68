"""HUB-C54: prompt, negative prompt, guidance and steps steer the picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.generation import GenerationSeen


def check(seen: GenerationSeen) -> Iterator[Symptom]:
    """Change one of them at a time."""
    from harness.gate.experiments.generation import STEPS, distance

    # Both pictures have the noise of seed 41: the first of other_seed, and the second of plain.
    if distance(seen.plain[1:], seen.other_seed[:1]) < 0.5:
        yield Symptom("Two different prompts give the same picture.", severity="error")
    for name, pictures in (
        ("negative_prompt", seen.negative),
        ("guidance_scale", seen.guided),
        ("num_inference_steps", seen.more_steps),
    ):
        if distance(seen.plain, pictures) < 0.05:
            yield Symptom(f"config.{name} changes nothing.")
    few, many = seen.calls[STEPS], seen.calls[2 * STEPS]
    if few and not 1.3 * few <= many <= 3 * few:
        yield Symptom(f"{STEPS} steps call the U-Net {few} times, {2 * STEPS} steps {many} times.")


PROBE = Probe(
    id="HUB-C54",
    title="A setting of drawing has no effect",
    experiment="generation",
    hook="generate",
    owners=("generate",),
    check=check,
    meaning="Every other request gives the same picture and no message.",
    fix="Hand every field of config on: prompt, negative_prompt, guidance_scale, "
    "num_inference_steps.",
    calls=("pipeline", "guidance_scale", "num_inference_steps", "negative_prompt"),
    because=("HUB-C52",),
)
