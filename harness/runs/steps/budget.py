"""Compare what a scored training was seen to do with its budget, and with what the gate measured.

The counts come from the contribution's own process, so they find what behaves otherwise when it is
scored, not what hides from them. What hides costs processor time all the same, and that is counted
by the kernel: work that nothing counted explains is a flag as well.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from harness.gate.records import GateReport
from harness.protocol.figures import Flag, FlagKind
from harness.runs.steps.outcomes import TrainCosts
from harness.worker.jobs import SeedOutcome, Watched

# Of counts that the gate measures on other sizes of batch and other numbers of steps.
COUNT_TOLERANCE = 0.1
# Of learning rates: the gate reads them off five of its steps; a peak may lie between them.
RATE_FACTOR = 1.6
# The gate allows 1e-4 on its tiny model; rounding of a large one leaves less than this.
ATTACHED_TOLERANCE = 1e-2
# A picture without gradients costs about this share of one with.
WITHOUT_GRADIENTS = 0.4
# The dearest of the hub's own contributions costs 2.3 times the reference with equal counts.
PLAUSIBLE_FACTOR = 2.6

Asked = tuple[int, int, float]  # optimiser steps, pictures in each, learning rate
Check = Callable[[int, Watched, Asked, GateReport | None], Iterator[str]]

BATCH, PICTURES = "training.batch", "pictures a step, of those asked for"
STEPS, MADE = "training.steps", "made"
RATE = "training.learning_rate"
RATES_IN = ("in step 1", "in the middle of the warm-up", "after the warm-up", "in the middle")
STARTS_AS_THE_BASE = "HUB-C20"


def budget_flags(
    own: Sequence[SeedOutcome],
    reference: Sequence[SeedOutcome],
    costs: TrainCosts,
    asked: Asked,
    report: GateReport | None,
) -> Iterator[Flag]:
    """Yield a flag for everything that does not fit together, each kind once.

    Args:
        own: What each seed of the contribution yielded.
        reference: The same of the reference.
        costs: What both cost.
        asked: Optimiser steps, pictures in each, and the learning rate of the settings.
        report: What the gate measured; None where it was left out.
    """
    seen = {one.seed: one.watched for one in own if one.watched is not None}
    checks: tuple[tuple[FlagKind, Check], ...] = (
        ("over budget", over_budget),
        ("otherwise than in the gate", otherwise),
    )
    for kind, check in checks:
        found = (text for seed, one in seen.items() for text in check(seed, one, asked, report))
        if (text := next(found, None)) is not None:
            yield Flag(kind=kind, text=text)
    yield from dear(list(seen.values()), [one.watched for one in reference if one.watched], costs)


def over_budget(seed: int, one: Watched, asked: Asked, report: GateReport | None) -> Iterator[str]:
    """Say where a seed did more than it may."""
    steps, batch, _ = asked
    if one.steps > steps:
        yield f"Seed {seed} made {one.steps} optimiser steps; the budget is {steps}."
    if one.outside:
        yield (
            f"Seed {seed} trained outside its train hook: {one.outside} optimiser steps or calls "
            "of the U-Net with gradients."
        )
    measured = value(report, BATCH, PICTURES)
    expected = steps * batch * max(1.0, measured or 1.0)
    if one.trained_pictures > expected * (1 + COUNT_TOLERANCE) and report is not None:
        yield (
            f"Seed {seed} put {one.trained_pictures:,} pictures through the U-Net with gradients; "
            f"{steps} steps of {batch}, as the gate measured it, are {expected:,.0f}."
        )


def otherwise(seed: int, one: Watched, asked: Asked, report: GateReport | None) -> Iterator[str]:
    """Say where a seed did something else than the gate measured of the same code."""
    steps, batch, rate = asked
    made = value(report, STEPS, MADE)
    if made is not None and abs(one.steps - made * steps) > COUNT_TOLERANCE * steps:
        yield (
            f"In the gate it made {made:.3g} times the steps asked for; scored, seed {seed} made "
            f"{one.steps} for {steps}."
        )
    pictures = value(report, BATCH, PICTURES)
    if pictures is not None:
        wanted = pictures * steps * batch
        if abs(one.trained_pictures - wanted) > COUNT_TOLERANCE * wanted:
            yield (
                f"In the gate a step learnt from {pictures:.3g} times the pictures asked for; "
                f"scored, seed {seed} learnt from {one.trained_pictures / (steps * batch):.3g}."
            )
    gate_rates = [found for name in RATES_IN if (found := value(report, RATE, name)) is not None]
    if gate_rates and one.rates is not None:
        highest, measured = one.rates[1] / rate, max(gate_rates)
        if measured > 0 and not measured / RATE_FACTOR <= highest <= measured * RATE_FACTOR:
            yield (
                f"In the gate the highest learning rate was {measured:.3g} times the setting; "
                f"scored, seed {seed} had {highest:.3g}."
            )
    if state(report, STARTS_AS_THE_BASE) == "passed" and not one.attached <= ATTACHED_TOLERANCE:
        yield (
            f"In the gate its untrained adapter left the base as it was; scored, seed {seed}'s "
            f"changed the base's prediction by {one.attached:.1%} before any training."
        )


def dear(own: Sequence[Watched], reference: Sequence[Watched], costs: TrainCosts) -> Iterator[Flag]:
    """Say that a training cost far more than what was counted of it explains."""
    if not own or not reference:
        return
    cost = statistics.fmean(costs.cpu_seconds.values())
    yardstick = statistics.fmean(costs.reference_cpu_seconds.values())
    counted = work(own) / max(1.0, work(reference))
    if yardstick and cost / yardstick > PLAUSIBLE_FACTOR * max(1.0, counted):
        yield Flag(
            kind="cost not explained",
            text=f"A training cost {cost / yardstick:.2g} times the reference's processor time; "
            f"what was counted of it is {counted:.2g} times the reference's work.",
        )


def work(seeds: Sequence[Watched]) -> float:
    """Return the mean work of a seed, in pictures through the U-Net with gradients."""
    return statistics.fmean(
        one.trained_pictures + WITHOUT_GRADIENTS * one.other_pictures for one in seeds
    )


def value(report: GateReport | None, probe: str, name: str) -> float | None:
    """Return a number that the gate measured of the contribution, or None."""
    found = next((o for o in report.outcomes if o.probe == probe), None) if report else None
    number = found.measured.get(name) if found else None
    return number if isinstance(number, float) else None


def state(report: GateReport | None, probe: str) -> str | None:
    """Return how a probe of the gate ended, or None."""
    return next((o.state for o in report.outcomes if o.probe == probe), None) if report else None
