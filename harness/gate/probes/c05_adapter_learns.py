"""HUB-C05: every trainable tensor of the adapter moves within a few steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

TOLERATED = 0.02  # share of tensors that may stay: a loop that skips a layer now and then


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Look for tensors that hold the same bits before and after."""
    total, still = len(seen.adapter_ids), seen.unmoved
    if not still:
        return
    shown = ", ".join(still[:3]) + (", ..." if len(still) > 3 else "")
    yield Symptom(
        f"{len(still)} of {total} trainable tensors did not move in {seen.config.steps} steps: "
        f"{shown}.",
        severity="error" if len(still) > TOLERATED * total else "hint",
        place=seen.steps[0].place if seen.steps else None,
    )


PROBE = Probe(
    id="HUB-C05",
    title="Parts of the adapter do not learn",
    experiment="training",
    hook="train",
    check=check,
    meaning="No gradient reaches them: the loss does not depend on them, or no step is made.",
    fix="Follow the loss backwards: is the adapter called in the layer's forward, is nothing "
    "detached between U-Net and loss, are backward() and optimizer.step() called? If only attn2's "
    "to_k and to_v stay still, the text embeddings are zero.",
    calls=("backward", "step", "detach"),
    because=("HUB-C03", "HUB-C04", "HUB-C02", "HUB-C10", "HUB-C33"),
    exemptible=True,
)
