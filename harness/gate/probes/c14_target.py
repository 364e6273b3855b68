"""HUB-C14: a U-Net that predicts the noise exactly has nothing to learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.oracle import OracleSeen

LIMIT = 0.2  # of the slope when the prediction misses by 1; input perturbation of 0.1 gives 0.1


def check(seen: OracleSeen) -> Iterator[Symptom]:
    """Compare the loss's slope at the perfect answer with the slope beside it."""
    from harness.gate.experiments.oracle import EXACT_FIRST, MISSED, likeliest_target

    exact, missed = seen.slope(EXACT_FIRST), seen.slope(MISSED)
    if exact is None or missed is None:
        raise DoesNotApply("no gradient reached the U-Net's output")
    if not exact > LIMIT * missed:
        return
    exact_loss, missed_loss = seen.loss(EXACT_FIRST), seen.loss(MISSED)
    if exact_loss is not None and missed_loss and abs(exact_loss) < 0.05 * missed_loss:
        return  # an absolute error: no loss, but a slope at every distance
    target = likeliest_target(seen)
    yield Symptom(
        "When the U-Net predicts the noise exactly, the loss still pulls its answer away: with "
        f"{exact / missed:.2g} times the slope of an answer that is wrong by 1"
        + (f". It is compared with {target}." if target else "."),
        place=next((call.place for call in seen.exact_calls()), None),
    )


PROBE = Probe(
    id="HUB-C14",
    title="The U-Net is not trained to predict the noise",
    experiment="oracle",
    hook="train",
    check=check,
    meaning="Stable Diffusion 1.x answers with the noise in its input. Trained towards something "
    "else, it cannot draw any more.",
    fix="loss = F.mse_loss(noise_pred.float(), noise.float()), with the very noise that add_noise "
    "was given.",
    calls=("mse_loss", "loss"),
    because=("HUB-C29", "HUB-C08", "HUB-C07", "HUB-C11"),
    exemptible=True,
)
