"""Whether some steps on a few pictures show anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Symptom, probes_of

if TYPE_CHECKING:
    from harness.gate.experiments.learning import LearningSeen

# Of everybody: settings alone can ruin it.
probe = probes_of("learning", "train", owners=())


LEAST_FALL = 0.01  # the loss has to fall by this share; the reference's falls by far more


@probe(
    "HUB-C23",
    "It does not learn the pictures it trains on",
    exemptible=True,
    calls=("backward", "lr", "learning_rate"),
    because=(
        *("HUB-C01", "HUB-C03", "HUB-C04", "HUB-C05", "HUB-C06", "HUB-C20", "training.pixels"),
        *("training.latents", "training.schedule", "training.timesteps_told", "training.target"),
        *("training.noise", "training.gradients", "training.trained", "training.embeddings"),
        *("training.steps", "training.captions"),
    ),
)
def learns(seen: LearningSeen) -> Iterator[Symptom]:
    """Some steps on seven pictures lower the loss on these pictures."""
    # Compare the loss on a fixed grid of timesteps and noise before and after.
    if not seen.finite:
        yield Symptom("After training, the adapter holds NaN or infinity.")
        return
    before, after = seen.trained_before, seen.trained_after
    if not after < before * (1 - LEAST_FALL):
        yield Symptom(
            f"{seen.steps} steps on seven pictures moved their loss from {before:.4f} to "
            f"{after:.4f} ({after / before - 1:+.1%})."
        )


MOST_RISE = 0.1  # relative


@probe(
    "HUB-C24",
    "Pictures that were not trained on get worse",
    exemptible=True,
    calls=("lr", "learning_rate"),
    because=(
        *("HUB-C23", "training.target", "training.schedule", "training.latents", "training.noise"),
    ),
)
def does_no_harm(seen: LearningSeen) -> Iterator[Symptom]:
    """What was not trained on does not get worse."""
    # Compare the loss of two pictures that were kept back, before and after.
    before, after = seen.others_before, seen.others_after
    if not after <= before * (1 + MOST_RISE):
        yield Symptom(
            f"The loss of two pictures of the same subject that were not trained on rose from "
            f"{before:.4f} to {after:.4f} ({after / before - 1:+.0%})."
        )
