"""HUB-C29: noise is added with the betas of the base."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

LIMIT = 0.04  # root mean square error of sqrt(alpha_bar); measuring noise gives 0.012


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Compare how much of the known latent is left with sqrt(alpha_bar) of each timestep."""
    from harness.gate.analysis import fitting_schedule, schedule_error

    error = schedule_error(seen)
    if error is None:
        raise DoesNotApply("no picture is in the noisy latents")
    if error <= LIMIT:
        return
    other = fitting_schedule(seen)
    yield Symptom(
        f"What is left of a picture at a timestep misses the base's schedule by {error:.2f} (of 1)"
        + (f"; it fits {other}." if other else "."),
        place=next((call.place for call in seen.calls), None),
    )


PROBE = Probe(
    id="HUB-C29",
    title="Another noise schedule than the base's",
    experiment="training",
    hook="train",
    check=check,
    meaning="The U-Net sees other noise levels than its timesteps meant when it was trained.",
    fix="noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config), and the same "
    "timesteps for add_noise and the U-Net.",
    calls=("DDPMScheduler", "DDIMScheduler", "add_noise"),
    because=("HUB-C08",),
    exemptible=True,
)
