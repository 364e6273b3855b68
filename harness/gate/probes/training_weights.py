"""What an optimiser step changes, and how exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Symptom, probes_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from harness.gate.experiments.training import TrainingSeen

probe = probes_of("training", "train")


@probe(
    "HUB-C01",
    "Training changes the base model",
    calls=("AdamW", "Adam", "SGD", "parameters", "step"),
    because=("HUB-C41", "HUB-C02"),
)
def base_frozen(seen: TrainingSeen) -> Iterator[Symptom]:
    """Training leaves the base as it was. Every tensor is compared bit by bit."""
    # Compare every tensor of the three models that is not the adapter's.
    changed = seen.base_changed
    if changed:
        shown = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        yield Symptom(
            f"{len(changed)} tensors of the base changed during training: {shown}.",
            place=seen.spy.steps[0].place if seen.spy.steps else None,
        )


@probe(
    "HUB-C02",
    "The optimiser does not hold exactly the adapter",
    exemptible=True,
    calls=("AdamW", "Adam", "SGD", "parameters", "step"),
    because=("HUB-C41",),
)
def optimizer_holds_adapter(seen: TrainingSeen) -> Iterator[Symptom]:
    """The optimiser holds the adapter, all of it and nothing else."""
    if not seen.steps:
        if seen.unmoved and len(seen.unmoved) == len(seen.adapter_ids):
            yield Symptom("No optimiser made a step, and nothing in the adapter moved.")
            return
        raise DoesNotApply("no torch optimiser was used")
    held = frozenset().union(*(step.parameters for step in seen.steps))
    foreign, missing = held - seen.adapter_ids, seen.adapter_ids - held
    place = seen.steps[0].place
    if foreign:
        named = [seen.other_ids[i] for i in foreign if i in seen.other_ids][:3]
        names = f" ({', '.join(sorted(named))}, ...)" if named else ""
        yield Symptom(
            f"The optimiser holds {len(foreign)} tensors that are not the adapter's{names}.",
            place=place,
        )
    if missing:
        names = ", ".join(sorted(seen.adapter_names[i] for i in missing)[:3])
        yield Symptom(
            f"{len(missing)} of {len(seen.adapter_ids)} trainable tensors of the adapter are in no "
            f"optimiser: {names}, ...",
            meaning="They stay as they were drawn, and the run pays for parameters it never "
            "trains.",
            place=place,
        )


MAY_STAND_STILL = 0.02  # share of tensors that may stay: a loop that skips a layer now and then


@probe(
    "HUB-C05",
    "Parts of the adapter do not learn",
    exemptible=True,
    calls=("backward", "step", "detach"),
    because=("HUB-C03", "HUB-C04", "HUB-C02", "HUB-C10", "HUB-C33"),
)
def adapter_learns(seen: TrainingSeen) -> Iterator[Symptom]:
    """Every trainable tensor of the adapter moves within a few steps."""
    # Look for tensors that hold the same bits before and after.
    total, still = len(seen.adapter_ids), seen.unmoved
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


SEVERAL = 16


@probe(
    "HUB-C13",
    "The loss is computed in half precision",
    exemptible=True,
    calls=("mse_loss", "half", "float16", "bfloat16"),
)
def loss_float32(seen: TrainingSeen) -> Iterator[Symptom]:
    """The loss is computed in float32."""
    # Look at the gradient that enters the U-Net: after a loss in half precision it is rounded.
    import torch

    grads = [c for c in seen.calls if c.output_grad is not None]
    if not grads:
        raise DoesNotApply("no gradient reached the U-Net's output")
    judged = [c for c in grads if c.output_dtype is torch.float32]
    if not judged:
        raise DoesNotApply("the U-Net answers in half precision here")
    for name, dtype in (("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        if all(_rounded_to(c.output_grad, dtype) for c in judged):
            yield Symptom(
                f"The U-Net answers in float32, but its gradient comes back rounded to {name}.",
                place=judged[0].place,
            )
            return


def _rounded_to(grad: Tensor | None, dtype: torch.dtype) -> bool:
    """Tell whether nearly all entries of a gradient survive a way through ``dtype`` unchanged."""
    if grad is None:
        return False
    entries = grad.flatten()
    entries = entries[entries != 0]
    # An absolute error has the same slope everywhere: one number tells nothing about rounding.
    if len(set(entries.abs().tolist())) < SEVERAL:
        return False
    # A mean divides by the number of entries in float32 afterwards; a power of two keeps the bits.
    mantissa = entries.frexp()[0]
    same = mantissa.to(dtype).to(mantissa.dtype) == mantissa
    return float(same.float().mean()) > 0.99
