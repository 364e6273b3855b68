"""HUB-C13: the loss is computed in float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from harness.gate.experiments.training import TrainingSeen


SEVERAL = 16


def check(seen: TrainingSeen) -> Iterator[Symptom]:
    """Look at the gradient that enters the U-Net: after a loss in half precision it is rounded."""
    import torch

    grads = [c for c in seen.calls if c.output_grad is not None]
    if not grads:
        raise DoesNotApply("no gradient reached the U-Net's output")
    judged = [c for c in grads if c.output_dtype is torch.float32]
    if not judged:
        raise DoesNotApply("the U-Net answers in half precision here")
    for name, dtype in (("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        if all(rounded_to(c.output_grad, dtype) for c in judged):
            yield Symptom(
                f"The U-Net answers in float32, but its gradient comes back rounded to {name}.",
                place=judged[0].place,
            )
            return


def rounded_to(grad: Tensor | None, dtype: torch.dtype) -> bool:
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


PROBE = Probe(
    id="HUB-C13",
    title="The loss is computed in half precision",
    experiment="training",
    hook="train",
    check=check,
    meaning="Squares of small errors vanish in float16 (below 6e-8) and means lose digits: the "
    "gradient is coarse, or zero.",
    fix="F.mse_loss(noise_pred.float(), target.float())",
    calls=("mse_loss", "half", "float16", "bfloat16"),
    exemptible=True,
)
