"""What the loss does with a U-Net whose answers are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Symptom, probes_of

if TYPE_CHECKING:
    from harness.gate.experiments.oracle import OracleSeen

probe = probes_of("oracle", "train")


PULL = 0.2  # of the slope when the prediction misses by 1; input perturbation of 0.1 gives 0.1


@probe(
    "HUB-C14",
    "The U-Net is not trained to predict the noise",
    exemptible=True,
    calls=("mse_loss", "loss"),
    because=("HUB-C29", "HUB-C08", "HUB-C07", "HUB-C11"),
)
def target(seen: OracleSeen) -> Iterator[Symptom]:
    """A U-Net that predicts the noise exactly has nothing to learn."""
    # Compare the loss's slope at the perfect answer with the slope beside it.
    from harness.gate.experiments.oracle import EXACT_FIRST, MISSED, likeliest_target

    exact, missed = seen.slope(EXACT_FIRST), seen.slope(MISSED)
    if exact is None or missed is None:
        raise DoesNotApply("no gradient reached the U-Net's output")
    if not exact > PULL * missed:
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


@probe(
    "HUB-C15",
    "Gradients are not clipped",
    exemptible=True,
    calls=("clip_grad_norm_", "filter", "step"),
    because=("HUB-C02",),
)
def clipping(seen: OracleSeen) -> Iterator[Symptom]:
    """Gradients are clipped: a steeper loss makes no larger step."""
    # Make the loss a thousand times steeper and compare the norms that the optimiser found.
    from harness.gate.experiments.oracle import STEEP, STEEPER

    steep, steeper = seen.grad_norm(STEEP), seen.grad_norm(STEEPER)
    if steep is None or steeper is None or steep == 0:
        raise DoesNotApply("no torch optimiser made these steps, or no gradient reached it")
    limit = seen.config.max_grad_norm
    place = seen.spy.rounds[STEEPER][0].place
    if steeper > 50 * steep:
        yield Symptom(
            f"A loss a thousand times steeper made the gradient norm grow from {steep:.3g} to "
            f"{steeper:.3g}; config.max_grad_norm is {limit}.",
            place=place,
        )
    elif steeper > 1.05 * limit:
        yield Symptom(
            f"Gradients are clipped, but to a norm of {steeper:.3g}; config.max_grad_norm is "
            f"{limit}.",
            meaning="The setting max_grad_norm in contribution.toml has no effect.",
            fix="Clip the gradients of all trained parameters together to config.max_grad_norm.",
            place=place,
            severity="hint",
        )


@probe("HUB-C16", "Gradients are never zeroed", calls=("zero_grad", "backward", "step"))
def grads_zeroed(seen: OracleSeen) -> Iterator[Symptom]:
    """Gradients of one step do not leak into the next."""
    from harness.gate.experiments.oracle import EXACT_AGAIN, EXACT_FIRST, MISSED

    before, after = seen.grad_norm(MISSED[-1]), seen.grad_norm(EXACT_AGAIN[-1])
    exact, missed = seen.slope(EXACT_FIRST), seen.slope(MISSED)
    if not before or after is None or not missed or exact is None:
        raise DoesNotApply("no torch optimiser made these steps, or no gradient reached it")
    if exact > 0.2 * missed:
        raise DoesNotApply("the loss has a slope at the perfect answer (HUB-C14)")
    if after > 0.3 * before:
        yield Symptom(
            f"Two steps after the last wrong answer the gradient norm is still {after:.3g} (it was "
            f"{before:.3g}), although the loss is flat.",
            place=seen.spy.rounds[EXACT_AGAIN[-1]][0].place,
        )


@probe(
    "HUB-C37",
    "The reported loss is not the loss of the run",
    calls=("step", "item", "losses"),
    because=("HUB-C14", "HUB-C33"),
)
def loss_is_real(seen: OracleSeen) -> Iterator[Symptom]:
    """The losses that are reported come from the run."""
    import math

    from harness.gate.experiments.oracle import EXACT_FIRST, MISSED

    losses = seen.recorder.losses
    if not losses:
        raise DoesNotApply("no loss was reported")
    if not all(math.isfinite(loss) for loss in losses):
        yield Symptom("A reported loss is NaN or infinite.", severity="error")
        return
    exact, missed = seen.loss(EXACT_FIRST), seen.loss(MISSED)
    slope, beside = seen.slope(EXACT_FIRST), seen.slope(MISSED)
    if exact is None or missed is None or slope is None or beside is None:
        raise DoesNotApply("too few losses were reported")
    if slope > 0.2 * beside:
        raise DoesNotApply("the loss itself is another one (HUB-C14)")
    if not exact < 0.5 * missed:
        yield Symptom(
            f"Losses of {exact:.3g} were reported while the U-Net's answer was perfect, and "
            f"{missed:.3g} while it missed by 1."
        )
    elif seen.own_losses and max(
        abs(a - b) for a, b in zip(losses, seen.own_losses, strict=False)
    ) > 1e-3 + 0.05 * max(map(abs, losses)):
        yield Symptom(
            "TrainResult.losses and what reporter.step was told differ.",
            severity="hint",
            meaning="The curve on the page is not the one that was shown while training.",
            fix="Report and keep the same number.",
        )


@probe(
    "HUB-C40",
    "config.learning_rate is not used",
    severity="hint",
    calls=("AdamW", "lr", "learning_rate"),
)
def learning_rate(seen: OracleSeen) -> Iterator[Symptom]:
    """The learning rate of the configuration is the one that is used."""
    # The oracle runs with half the learning rate: the steps have to show it.
    rates = [max(step.learning_rates) for step in seen.spy.steps]
    if not rates:
        raise DoesNotApply("no torch optimiser made a step")
    highest, wanted = max(rates), seen.config.learning_rate
    if highest == 0:
        yield Symptom("The learning rate is 0 at every step.", severity="error")
    elif not 0.5 * wanted <= highest <= 1.01 * wanted:
        yield Symptom(
            f"The highest learning rate of the steps is {highest:.3g}; config.learning_rate is "
            f"{wanted:.3g}."
        )
