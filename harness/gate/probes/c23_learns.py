"""HUB-C23: some steps on seven pictures lower the loss on these pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.learning import LearningSeen

LIMIT = 0.01  # the loss has to fall by this share; the reference's falls by far more


def check(seen: LearningSeen) -> Iterator[Symptom]:
    """Compare the loss on a fixed grid of timesteps and noise before and after."""
    if not seen.finite:
        yield Symptom("After training, the adapter holds NaN or infinity.")
        return
    before, after = seen.trained_before, seen.trained_after
    if not after < before * (1 - LIMIT):
        yield Symptom(
            f"{seen.steps} steps on seven pictures moved their loss from {before:.4f} to "
            f"{after:.4f} "
            f"({after / before - 1:+.1%})."
        )


PROBE = Probe(
    id="HUB-C23",
    title="It does not learn the pictures it trains on",
    experiment="learning",
    hook="train",
    owners=(),  # settings alone can ruin it
    check=check,
    meaning="With these settings the budget of the track will not show anything either.",
    fix="If nothing else is reported: is the learning rate right (contribution.toml, "
    "settings.train.learning_rate), does the loss have the right sign, is a schedule at 0?",
    calls=("backward", "lr", "learning_rate"),
    because=(
        *("HUB-C01", "HUB-C02", "HUB-C03", "HUB-C04", "HUB-C05", "HUB-C06", "HUB-C07", "HUB-C08"),
        *("HUB-C14", "HUB-C29", "HUB-C20", "HUB-C10", "HUB-C33", "HUB-C16", "HUB-C11", "HUB-C39"),
    ),
    exemptible=True,
)
