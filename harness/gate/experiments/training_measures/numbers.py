"""Numbers that several measures share."""

from __future__ import annotations

import torch
from torch import Tensor

FEW = 24  # samples below which nothing is said


def mean(values: Tensor) -> float | None:
    """Return the mean, or None of nothing."""
    return float(values.double().mean()) if values.numel() else None


def distinct(values: Tensor) -> Tensor:
    """Return each value once, in ascending order."""
    ordered = values.flatten().sort().values
    keep = torch.ones(len(ordered), dtype=torch.bool)
    keep[1:] = ordered[1:] != ordered[:-1]
    return ordered[keep]


def correlation(a: Tensor, b: Tensor) -> float | None:
    """Return the correlation of two lists of numbers, without taking their means off."""
    norm = float(a.double().norm() * b.double().norm())
    return float((a.double() * b.double()).sum()) / norm if norm > 0 else None
