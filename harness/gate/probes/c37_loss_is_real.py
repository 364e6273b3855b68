"""HUB-C37: the losses that are reported come from the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.oracle import OracleSeen


def check(seen: OracleSeen) -> Iterator[Symptom]:
    """Compare the reported losses of perfect answers and of answers that miss by 1."""
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


PROBE = Probe(
    id="HUB-C37",
    title="The reported loss is not the loss of the run",
    experiment="oracle",
    hook="train",
    check=check,
    meaning="The curve misleads its readers, and a loop that diverges looks healthy.",
    fix="Report loss.item() of the step that was just made.",
    calls=("step", "item", "losses"),
    because=("HUB-C14", "HUB-C33"),
)
