"""In which precision a loss was computed, read off the gradient that comes back from it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

SEVERAL = 16  # different numbers that a gradient needs, or nothing is said
NARROW = {"bfloat16": torch.bfloat16, "float16": torch.float16}  # fewest bits first


def precision_of(gradients: Sequence[Tensor]) -> str | None:
    """Name the narrowest type that all gradients fit, or None where they have too few numbers.

    After a loss in half precision the gradient is rounded, whatever its own type is.

    Args:
        gradients: At the U-Net's answers, (B, 4, h, w) each.
    """
    found = {name for gradient in gradients if (name := narrowest(gradient)) is not None}
    if len(found) != 1:
        return "float32" if found else None
    return found.pop()


def narrowest(gradient: Tensor) -> str | None:
    """Name the narrowest type that nearly all numbers of one gradient survive."""
    numbers = gradient.flatten().float()
    numbers = numbers[numbers.isfinite() & (numbers != 0)]
    # An absolute error has the same slope everywhere: one number tells nothing about rounding.
    if len(set(numbers.abs().tolist())) < SEVERAL:
        return None
    # A mean divides by the number of entries in float32 afterwards; a power of two keeps the bits.
    mantissa = numbers.frexp()[0]
    for name, dtype in NARROW.items():
        if float((mantissa.to(dtype).float() == mantissa).float().mean()) > 0.99:
            return name
    return "float32"
