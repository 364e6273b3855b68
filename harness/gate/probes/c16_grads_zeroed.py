"""HUB-C16: gradients of one step do not leak into the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.oracle import OracleSeen


def check(seen: OracleSeen) -> Iterator[Symptom]:
    """After wrong answers, give perfect ones: the gradient has to be gone."""
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


PROBE = Probe(
    id="HUB-C16",
    title="Gradients are never zeroed",
    experiment="oracle",
    hook="train",
    check=check,
    meaning="Each step is made with the sum of all gradients so far; the loop learns from the "
    "past.",
    fix="Call optimizer.zero_grad() once per optimiser step, before backward().",
    calls=("zero_grad", "backward", "step"),
)
