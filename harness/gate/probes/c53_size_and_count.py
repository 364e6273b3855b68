"""HUB-C53: as many pictures as prompts, of the size that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.generation import GenerationSeen


def check(seen: GenerationSeen) -> Iterator[Symptom]:
    """Look at what came for a wide picture and for five prompts."""
    if seen.size_fault:
        yield Symptom(seen.size_fault)


PROBE = Probe(
    id="HUB-C53",
    title="Size or number of the pictures is wrong",
    experiment="generation",
    hook="generate",
    owners=("generate",),
    check=check,
    meaning="The comparison sheet cannot be laid out; a request for 512 x 768 gives a square.",
    fix="Pass height=config.height, width=config.width and all prompts; return one picture each.",
    calls=("height", "width", "images", "pipeline"),
)
