"""HUB-C17: the same seed gives the same training, another seed another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.repeats import RepeatsSeen


def check(seen: RepeatsSeen) -> Iterator[Symptom]:
    """Compare weights and losses of short trainings."""
    if not seen.first.same_as(seen.again):
        yield Symptom(
            "Two trainings with the same seed left different adapters: losses "
            f"{shown(seen.first.losses)} and {shown(seen.again.losses)}.",
            fix="Take all randomness from torch.Generator().manual_seed(config.seed), or from the "
            "global generators, which the hub seeds; never from time or os.urandom.",
        )
    elif seen.first.same_inputs(seen.other_seed):
        yield Symptom(
            "Another seed shows the U-Net the same noise, timesteps and pictures.",
            meaning="The hub trains with several seeds to see how much chance there is in a "
            "result; "
            "here all of them are the same run.",
        )


def shown(losses: tuple[float, ...]) -> str:
    """Return a few losses as text."""
    return ", ".join(f"{loss:.5f}" for loss in losses[:3])


PROBE = Probe(
    id="HUB-C17",
    title="The seed is not honoured",
    experiment="repeats",
    hook="train",
    check=check,
    meaning="The run cannot be repeated, and rows cannot be compared seed by seed.",
    fix="Seed with config.seed, not with a number of your own.",
    calls=("manual_seed", "urandom", "time", "Generator", "randn_like", "seed"),
    because=("HUB-C31",),
)
