"""HUB-C08: the noise in a sample is Gaussian and as strong as its timestep says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

LOW, HIGH = 0.7, 1.4  # of the variance: offset and pyramid noise lie inside


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Measure the variance inside each channel and divide by 1 - alpha_bar."""
    from harness.gate.analysis import fitting_schedule

    if seen.samples is None:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    if fitting_schedule(seen):
        return  # a clear case, which HUB-C29 tells
    noisy, alpha = seen.samples.noisy, seen.samples.alpha_bar
    # Inside a channel the known latent is one number, and so is offset noise: both drop out.
    within = noisy.flatten(2).var(-1).mean(-1)  # (N,)
    ratios = within / (1 - alpha)
    ratio = float(ratios.median())
    spread = float(ratios.log().std()) if bool((within > 0).all()) else float("inf")
    place = next((call.place for call in seen.calls), None)
    if not LOW <= ratio <= HIGH:
        yield Symptom(
            f"The noise in the U-Net's input has {ratio:.2f} times the variance that its timestep "
            "asks for.",
            place=place,
        )
    elif spread > 0.6:
        yield Symptom(
            "The strength of the noise does not follow the timestep that the U-Net is told: the "
            f"ratio of both varies by a factor of {2.718**spread:.1f}.",
            place=place,
        )


PROBE = Probe(
    id="HUB-C08",
    title="The noise does not fit the timestep",
    experiment="training",
    hook="train",
    check=check,
    meaning="The U-Net is asked to remove another amount of noise than it is told, so it unlearns "
    "what its timesteps mean.",
    fix="noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps), with "
    "noise = torch.randn_like(latents), and the same timesteps for the U-Net.",
    calls=("add_noise", "randn_like", "randn"),
    exemptible=True,
)
