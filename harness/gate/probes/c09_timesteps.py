"""HUB-C09: timesteps cover the whole schedule, one drawn for each picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Look at range, spread and variety of the timesteps."""
    if seen.samples is None:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    drawn, total = seen.samples.timesteps, len(seen.alphas_cumprod)
    place = next((call.place for call in seen.calls), None)
    low, high = float(drawn.min()), float(drawn.max())
    if low < 0 or high > total - 1:
        yield Symptom(
            f"Timesteps from {low:.0f} to {high:.0f} were drawn; the schedule has 0 to "
            f"{total - 1}.",
            place=place,
        )
        return
    thirds = [
        int(((drawn >= total * k / 3) & (drawn < total * (k + 1) / 3)).sum()) for k in range(3)
    ]
    distinct = len(set(drawn.tolist()))
    if distinct <= 5 or 0 in thirds:
        yield Symptom(
            f"{len(drawn)} samples have {distinct} different timesteps, from {low:.0f} to "
            f"{high:.0f}; low, middle and high third: {thirds[0]}, {thirds[1]}, {thirds[2]}.",
            place=place,
        )
        return
    batches = [call.timesteps for call in seen.calls if len(call.timesteps) > 1]
    if batches and all(len(set(b.tolist())) == 1 for b in batches):
        yield Symptom(
            "All pictures of a batch share one timestep.",
            meaning="Correct, but each step then learns about one noise level only: the loss is "
            "noisier for the same budget.",
            fix="Draw one per picture: torch.randint(0, T, (batch_size,)).",
            place=place,
            severity="hint",
        )


PROBE = Probe(
    id="HUB-C09",
    title="Timesteps do not cover the schedule",
    experiment="training",
    hook="train",
    check=check,
    meaning="Generation passes through all noise levels; those never trained keep the base's "
    "answer.",
    fix="timesteps = torch.randint(0, noise_scheduler.config.num_train_timesteps, (batch_size,))",
    calls=("randint", "timesteps"),
    exemptible=True,
)
