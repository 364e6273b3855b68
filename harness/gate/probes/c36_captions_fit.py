"""HUB-C36: while training, a picture is shown with its own caption."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

WANTED = (
    0.6  # share of samples; chance is a seventh, and a loop may hide captions of its own accord
)


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Ask of each sample: is its text the caption of the picture behind it?"""
    from harness.gate.analysis import caption_agreement

    found = caption_agreement(seen)
    if found is None:
        raise DoesNotApply("pictures or texts cannot be told apart")
    agreement, pairs = found
    if agreement < WANTED:
        yield Symptom(
            f"Only {agreement:.0%} of {pairs} samples show the picture that their text names "
            "(chance: 14 %).",
            place=next((call.place for call in seen.calls), None),
        )


PROBE = Probe(
    id="HUB-C36",
    title="Captions belong to other pictures",
    experiment="training",
    hook="train",
    check=check,
    meaning="The model learns that words mean nothing, or the wrong thing.",
    fix="Take picture and caption of a sample from the same dataset[i], and shuffle both together.",
    calls=("encoder_hidden_states", "captions", "shuffle", "randperm"),
    because=("HUB-C07", "HUB-C10", "HUB-C11"),
)
