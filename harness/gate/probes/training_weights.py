"""What an optimiser step changes, and how exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Symptom, probes_of

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

probe = probes_of("training", "train")


@probe(
    "HUB-C01",
    "Training changes the base model",
    calls=("AdamW", "Adam", "SGD", "parameters", "step"),
    because=("adapter.outside",),
)
def base_frozen(seen: TrainingSeen) -> Iterator[Symptom]:
    """Training leaves the base as it was. Every tensor is compared bit by bit."""
    # Compare every tensor of the three models that is not the adapter's.
    changed = seen.base_changed
    if changed:
        shown = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        yield Symptom(
            f"{len(changed)} tensors of the base changed during training: {shown}.",
            place=seen.steps[0].place if seen.steps else None,
        )


MAY_STAND_STILL = 0.02  # share of tensors that may stay: a loop that skips a layer now and then


@probe(
    "HUB-C05",
    "Parts of the adapter do not learn",
    exemptible=True,
    calls=("backward", "step", "detach"),
    because=("HUB-C03", "HUB-C04", "training.embeddings", "training.steps"),
)
def adapter_learns(seen: TrainingSeen) -> Iterator[Symptom]:
    """Every trainable tensor of the adapter moves within a few steps."""
    # Look for tensors that hold the same bits before and after.
    total, still = seen.tensors, seen.unmoved
    if not still:
        return
    shown = ", ".join(still[:3]) + (", ..." if len(still) > 3 else "")
    yield Symptom(
        f"{len(still)} of {total} trainable tensors did not move in {seen.config.steps} steps: "
        f"{shown}.",
        severity="error" if len(still) > MAY_STAND_STILL * total else "hint",
        place=seen.steps[0].place if seen.steps else None,
    )


@probe(
    "HUB-C06",
    "Trainable parameters are not float32",
    hook="make_lora",
    exemptible=True,
    calls=("bfloat16", "half", "float16", "to", "add_adapter"),
)
def float32(seen: TrainingSeen) -> Iterator[Symptom]:
    """What is trained is float32, when it is made and at every step."""
    # Look at the dtypes that make_lora returned and that the optimiser held.
    made = sorted({str(dtype) for dtype in seen.made_dtypes if str(dtype) != "torch.float32"})
    if made:
        yield Symptom(f"make_lora returned trainable parameters in {', '.join(made)}.")
        return
    stepped = {str(d) for step in seen.steps for d in step.dtypes} - {"torch.float32"}
    if stepped:
        yield Symptom(
            f"The optimiser stepped on parameters in {', '.join(sorted(stepped))}.",
            place=seen.steps[0].place,
        )
