"""HUB-C35: every picture of the dataset is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.colours import COLOURS
from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Tell from the noisy latents which pictures they come from."""
    from harness.gate.analysis import recognised

    seen_pictures = recognised(seen)
    if seen_pictures is None:
        raise DoesNotApply("the pictures cannot be told from the noisy latents")
    names = list(COLOURS)
    missing = [name for i, name in enumerate(names) if i not in seen_pictures]
    if missing:
        yield Symptom(
            f"{len(missing)} of {len(names)} pictures were never trained on in "
            f"{seen.config.steps * seen.config.batch_size} samples: {', '.join(missing)}.",
            place=next((e.place for e in seen.spy.encodings), None),
        )


PROBE = Probe(
    id="HUB-C35",
    title="Some pictures are never trained on",
    experiment="training",
    hook="train",
    check=check,
    meaning="Part of the data is wasted; with nine pictures each of them counts.",
    fix="Go through all indices 0 to len(dataset) - 1; a DataLoader with drop_last=True wants "
    "shuffle=True.",
    calls=("DataLoader", "drop_last", "randint", "range"),
    because=("HUB-C07", "HUB-C11", "HUB-C33", "HUB-C34"),
)
