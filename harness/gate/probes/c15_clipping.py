"""HUB-C15: gradients are clipped: a steeper loss makes no larger step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.oracle import OracleSeen


def check(seen: OracleSeen) -> Iterator[Symptom]:
    """Make the loss a thousand times steeper and compare the norms that the optimiser found."""
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


PROBE = Probe(
    id="HUB-C15",
    title="Gradients are not clipped",
    experiment="oracle",
    hook="train",
    check=check,
    meaning="One bad batch can throw the adapter far away. A common cause is an iterator: `filter` "
    "or a generator is empty after the optimiser went through it, so nothing is clipped.",
    fix="parameters = list(...); then between backward() and step(): "
    "torch.nn.utils.clip_grad_norm_(parameters, config.max_grad_norm)",
    calls=("clip_grad_norm_", "filter", "step"),
    because=("HUB-C02",),
    exemptible=True,
)
