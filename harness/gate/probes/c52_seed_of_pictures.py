"""HUB-C52: the same seed draws the same picture, another seed another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.generation import GenerationSeen


def check(seen: GenerationSeen) -> Iterator[Symptom]:
    """Compare pictures of equal and different seeds, in company and alone."""
    from harness.gate.experiments.generation import distance

    again, other = distance(seen.plain, seen.again), distance(seen.plain, seen.other_seed)
    alone = distance(seen.plain[1:], seen.shifted)
    if again > 0.5:
        yield Symptom(f"Drawn twice with the same seed, pictures differ by {again:.1f} of 255.")
    elif other < 0.5:
        yield Symptom(f"Another seed changes the pictures by {other:.2f} of 255.")
    elif alone > 2.0:
        yield Symptom(
            f"Picture 2 of seed 40 and picture 1 of seed 41, same prompt, differ by {alone:.1f} of "
            "255; both start from the noise of seed 41.",
            meaning="A picture depends on how many are drawn beside it, so it cannot be drawn "
            "again.",
            fix="Give picture i a generator of its own: "
            'torch.Generator("cpu").manual_seed(config.seed + i).',
            severity="hint",
        )


PROBE = Probe(
    id="HUB-C52",
    title="generate does not honour the seed",
    experiment="generation",
    hook="generate",
    owners=("generate",),
    check=check,
    meaning="Pictures cannot be repeated, and contributions cannot be compared side by side.",
    fix='Draw the starting noise with torch.Generator("cpu").manual_seed(config.seed + i).',
    calls=("manual_seed", "Generator", "randn", "generator", "latents"),
)
