"""HUB-C07: latents are multiplied by the scaling factor, once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

TOLERANCE = 0.1  # relative


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Read the factor off the fourth channel, whose latent is known and the same everywhere."""
    from harness.gate.analysis import signal_factor

    factor, wanted = signal_factor(seen), seen.scaling_factor
    if factor is None:
        raise DoesNotApply("no call of the U-Net with a gradient was seen")
    if abs(factor - wanted) <= TOLERANCE * wanted:
        return
    guesses = {
        1.0: "they are not scaled at all",
        wanted**2: "they are scaled twice",
        1 / wanted: "they are divided by the factor",
        0.0: "no picture is in them",
    }
    why = [text for value, text in guesses.items() if abs(factor - value) <= 0.1 * value + 0.01]
    yield Symptom(
        f"Latents reach the U-Net multiplied by {factor:.3g} instead of {wanted:.5g}"
        + (f": {why[0]}." if why else "."),
        place=next((e.place for e in seen.spy.encodings), None),
    )


PROBE = Probe(
    id="HUB-C07",
    title="Latents are not scaled",
    experiment="training",
    hook="train",
    check=check,
    meaning="The U-Net was trained on latents of standard deviation 1; with others the noise is "
    "too "
    "weak or too strong at every timestep.",
    fix="latents = vae.encode(pixel_values).latent_dist.sample() * vae.config.scaling_factor",
    calls=("scaling_factor", "latent_dist", "encode"),
    because=("HUB-C11",),
)
