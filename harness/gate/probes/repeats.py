"""Whether a training can be had again: same seed, in parts, after a stop, beside others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Symptom, probes_of

if TYPE_CHECKING:
    from harness.gate.experiments.continuing import ContinuingSeen
    from harness.gate.experiments.repeats import RepeatsSeen

probe = probes_of("repeats", "train")


@probe(
    "HUB-C17",
    "The seed is not honoured",
    calls=("manual_seed", "urandom", "time", "Generator", "randn_like", "seed"),
    because=("HUB-C31",),
)
def seed(seen: RepeatsSeen) -> Iterator[Symptom]:
    """The same seed gives the same training, another seed another one."""
    if not seen.first.same_as(seen.again):
        yield Symptom(
            "Two trainings with the same seed left different adapters: losses "
            f"{_shown(seen.first.losses)} and {_shown(seen.again.losses)}.",
            fix="Take all randomness from torch.Generator().manual_seed(config.seed), or from the "
            "global generators, which the hub seeds; never from time or os.urandom.",
        )
    elif seen.first.same_inputs(seen.other_seed):
        yield Symptom(
            "Another seed shows the U-Net the same noise, timesteps and pictures.",
            meaning="The hub trains with several seeds to see how much chance there is in a "
            "result; here all of them are the same run.",
        )


def _shown(losses: tuple[float, ...]) -> str:
    """Return a few losses as text."""
    return ", ".join(f"{loss:.5f}" for loss in losses[:3])


@probe(
    "HUB-C21",
    "Gradient accumulation changes the training",
    experiment="continuing",
    calls=("gradient_accumulation_steps", "accumulate", "backward"),
    because=("training.steps", "training.batch"),
)
def accumulation(seen: ContinuingSeen) -> Iterator[Symptom]:
    """A batch in parts teaches what it teaches as a whole."""
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


@probe(
    "HUB-C22",
    "A resumed run is another run",
    experiment="continuing",
    calls=("resume", "checkpoint", "load_state_dict"),
    because=("HUB-C17",),
)
def resume(seen: ContinuingSeen) -> Iterator[Symptom]:
    """A step, a stop and another step are two steps."""
    from harness.gate.experiments.continuing import farthest

    if seen.uninterrupted is None or seen.resumed is None:
        raise DoesNotApply("the loop keeps no state: it does not call reporter.checkpoint")
    apart = farthest(seen.uninterrupted, seen.resumed)
    if apart > 0:
        yield Symptom(
            f"A run resumed after half of its {seen.steps} steps ends with weights that differ by "
            f"{apart:.2g} from those of a run that went through."
        )
    elif len(seen.losses[0]) != len(seen.losses[1]):
        yield Symptom(
            f"A resumed run returns {len(seen.losses[1])} losses; the one that went through, "
            f"{len(seen.losses[0])}.",
            fix="Keep the losses of the steps before in the state.",
        )


@probe(
    "HUB-C31",
    "It changes what other contributions do",
    hook="make_lora",
    calls=("extend", "append", "setattr", "TARGETS"),
)
def good_neighbour(seen: RepeatsSeen) -> Iterator[Symptom]:
    """Two contributions in one process give what they give alone."""
    if seen.reference_before is None or seen.reference_after is None:
        raise DoesNotApply("it is the reference itself")
    if not seen.reference_before.same_as(seen.reference_after):
        before, after = seen.reference_before, seen.reference_after
        yield Symptom(
            "After this contribution had run, the reference trained differently in the same "
            f"process: {len(before.weights)} tensors before, {len(after.weights)} after; first "
            f"losses {before.losses[0]:.5f} and {after.losses[0]:.5f}."
        )
