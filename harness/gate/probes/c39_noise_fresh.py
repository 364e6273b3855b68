"""HUB-C39: every sample has noise of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

LIMIT = 0.9  # correlation; antithetic noise (-1) is a known trick and passes


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Take the known latents off and correlate what is left, each sample with each other."""
    from harness.gate.analysis import most_repeated

    share = most_repeated(seen, LIMIT)
    if share is None:
        raise DoesNotApply("the noise cannot be told from the noisy latents")
    if share > 0.2:
        yield Symptom(
            f"{share:.0%} of the samples carry noise that another sample carries too.",
            place=next((call.place for call in seen.calls), None),
        )


PROBE = Probe(
    id="HUB-C39",
    title="The same noise is used again and again",
    experiment="training",
    hook="train",
    check=check,
    meaning="The adapter learns this noise by heart instead of learning to remove noise.",
    fix="Draw noise = torch.randn_like(latents) anew in each step, for the whole batch.",
    calls=("randn_like", "randn", "manual_seed", "Generator"),
    because=("HUB-C07", "HUB-C08", "HUB-C29"),
    exemptible=True,
)
