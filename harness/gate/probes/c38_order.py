"""HUB-C38: the pictures come in another order with another seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.repeats import RepeatsSeen


def check(seen: RepeatsSeen) -> Iterator[Symptom]:
    """Compare the order of the pictures of two seeds."""
    first, other = seen.first.pictures, seen.other_seed.pictures
    if not first or -1 in first or -1 in other:
        raise DoesNotApply("the pictures cannot be told from the noisy latents")
    if first == other:
        yield Symptom(
            f"With two seeds the pictures came in the same order: {', '.join(map(str, first))}."
        )


PROBE = Probe(
    id="HUB-C38",
    title="Pictures are not shuffled",
    experiment="repeats",
    hook="train",
    check=check,
    severity="hint",
    meaning="The same pictures always share a batch, and the last ones always come last.",
    fix="DataLoader(dataset, shuffle=True, generator=...), or torch.randperm with a seeded "
    "generator.",
    calls=("DataLoader", "randperm", "range"),
    because=("HUB-C17", "HUB-C07", "HUB-C11"),
)
