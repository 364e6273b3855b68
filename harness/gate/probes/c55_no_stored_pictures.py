"""HUB-C55: pictures are drawn, not fetched from the training folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.generation import GenerationSeen

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
NEAR = 4.0  # mean difference of 255; the nearest honest picture is ten times as far


def check(seen: GenerationSeen) -> Iterator[Symptom]:
    """Look at the files that were opened, and at the distance from the training pictures."""
    opened = [d for d in seen.deeds if d.kind == "read" and d.what.lower().endswith(PICTURES)]
    if opened:
        name = opened[0].what.replace("\\", "/").rpartition("/")[2]
        yield Symptom(f"While drawing it opened the picture {name!r}.", place=opened[0].place)
    elif seen.nearest_training < NEAR:
        yield Symptom(
            f"A picture differs from a training picture by {seen.nearest_training:.1f} of 255 "
            "in the "
            "mean, although the adapter was not trained."
        )
    elif not any(seen.calls.values()):
        yield Symptom("Pictures came without a single call of the U-Net.")


PROBE = Probe(
    id="HUB-C55",
    title="Pictures are not drawn",
    experiment="generation",
    hook="generate",
    owners=("generate",),
    check=check,
    meaning="What is shown has nothing to do with what was trained.",
    fix="Return what the pipeline draws from noise.",
    calls=("open", "images"),
)
