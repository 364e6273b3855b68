"""HUB-C24: what was not trained on does not get worse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.learning import LearningSeen

LIMIT = 0.1  # relative


def check(seen: LearningSeen) -> Iterator[Symptom]:
    """Compare the loss of two pictures that were kept back, before and after."""
    before, after = seen.others_before, seen.others_after
    if not after <= before * (1 + LIMIT):
        yield Symptom(
            f"The loss of two pictures of the same subject that were not trained on rose from "
            f"{before:.4f} to {after:.4f} ({after / before - 1:+.0%})."
        )


PROBE = Probe(
    id="HUB-C24",
    title="Pictures that were not trained on get worse",
    experiment="learning",
    hook="train",
    owners=(),  # settings alone can ruin it
    check=check,
    meaning="It learns by heart, or it breaks the model.",
    fix="Lower the learning rate or the rank; check the noise schedule and the target first.",
    calls=("lr", "learning_rate"),
    because=("HUB-C23", "HUB-C14", "HUB-C29", "HUB-C07", "HUB-C08"),
    exemptible=True,
)
