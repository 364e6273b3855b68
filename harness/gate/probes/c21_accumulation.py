"""HUB-C21: a batch in parts teaches what it teaches as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.continuing import ContinuingSeen


def check(seen: ContinuingSeen) -> Iterator[Symptom]:
    """Compare steps, learning rates, pictures and gradients of both."""
    whole, split = seen.whole, seen.split
    if split.largest_call >= whole.largest_call and split.pictures == whole.pictures:
        raise DoesNotApply("it does not split batches: gradient_accumulation_steps has no effect")
    place = split.place
    if split.pictures != whole.pictures:
        yield Symptom(
            f"In two parts a training uses {split.pictures} pictures, as a whole {whole.pictures}.",
            fix="gradient_accumulation_steps splits batch_size into parts; it adds no pictures.",
            place=place,
        )
        return
    if len(split.rates) != len(whole.rates):
        yield Symptom(
            f"In two parts {len(split.rates)} optimiser steps are made, as a whole "
            f"{len(whole.rates)}.",
            place=place,
        )
    elif max(abs(a[0] - b[0]) for a, b in zip(split.rates, whole.rates, strict=True)) > 1e-9:
        yield Symptom(
            "The learning rates of the steps differ: "
            f"{', '.join(f'{rate[0]:.2g}' for rate in split.rates)} in two parts and "
            f"{', '.join(f'{rate[0]:.2g}' for rate in whole.rates)} as a whole.",
            meaning="The schedule goes on once per part and is over after half of the run.",
            fix="Step the schedule once after each optimizer.step().",
            place=place,
        )
    elif whole.grad_norms and whole.grad_norms[0] > 0:
        ratio = split.grad_norms[0] / whole.grad_norms[0]
        if not 0.6 <= ratio <= 1.7:
            yield Symptom(
                f"In two parts the first gradient is {ratio:.2g} times that of the whole batch.",
                place=place,
            )


PROBE = Probe(
    id="HUB-C21",
    title="Gradient accumulation changes the training",
    experiment="continuing",
    hook="train",
    check=check,
    meaning="Without memory for a whole batch, you train something else than the others.",
    fix="Divide the loss of each part by the number of parts (or weight it by its pictures), "
    "and call "
    "optimizer.step() once, after the last part.",
    calls=("gradient_accumulation_steps", "accumulate", "backward"),
    because=("HUB-C33", "HUB-C34"),
)
