"""HUB-C30: with a base that predicts the velocity, the loop follows or refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.velocity import VelocitySeen


def check(seen: VelocitySeen) -> Iterator[Symptom]:
    """Let the U-Net predict the velocity exactly: the loss may not pull it away."""
    if seen.refused:
        return
    if seen.exact is None or seen.missed is None:
        raise DoesNotApply("no gradient reached the U-Net's output")
    exact, missed = seen.losses
    if exact is not None and missed and abs(exact) < 0.05 * missed:
        return  # an absolute error: no loss, but a slope at every distance
    if seen.exact > 0.2 * seen.missed:
        yield Symptom(
            "The scheduler of the base says prediction_type = v_prediction, but the loss pulls the "
            f"U-Net away from the velocity, with {seen.exact / seen.missed:.2g} times the slope of "
            "an answer that is wrong by 1.",
            place=seen.place,
        )


PROBE = Probe(
    id="HUB-C30",
    title="The base's prediction type is ignored",
    experiment="velocity",
    hook="train",
    check=check,
    severity="hint",
    meaning="Stable Diffusion 1.x predicts the noise, and all is well with it; SD 2.x would be "
    "destroyed without a message.",
    fix="Use noise_scheduler.get_velocity(latents, noise, timesteps) as the target if "
    "noise_scheduler.config.prediction_type is v_prediction, or raise a ValueError.",
    calls=("mse_loss", "prediction_type", "target"),
    because=("HUB-C14", "HUB-C05"),
    owners=("train",),
)
