"""The adapter's own tensors: how many, where, and how they start."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from torch import Tensor, nn

from harness.gate.experiments.adapter_measures.fitted import Fitted
from harness.gate.experiments.adapter_measures.layers import reached
from harness.gate.experiments.adapter_measures.strength import ratio
from harness.gate.profile.property import Values

LONG = 64  # numbers that two tensors need for their likeness to say anything


def outside(fresh: Fitted) -> float:
    """Return how many tensors want a gradient and are not in the adapter."""
    mine = {id(p) for p in fresh.adapter.parameters()}
    models = (getattr(fresh.live, part) for part in ("unet", "vae", "text_encoder"))
    every = {id(p) for model in models for p in model.parameters() if p.requires_grad}
    return float(len(every - mine))


def of_the_unet(fit: Fitted) -> list[nn.Parameter]:
    """Return the adapter's tensors but those that belong to the text encoder."""
    others = {id(p) for p in fit.live.text_encoder.parameters()}
    return [p for p in fit.adapter.parameters() if id(p) not in others]


def sides_of(fit: Fitted) -> list[tuple[int, int]]:
    """Return outputs and inputs of the layers that are reached, as a LoRA sees them."""
    layers = fit.layers()
    weights: list[Any] = [layers[name][0].weight for name in reached(fit)]
    return [(len(w), w[0].numel() if w.dim() > 1 else 1) for w in weights]


def trainable_of(fit: Fitted) -> list[Tensor]:
    """Return the adapter's trainable tensors as they are, in float32."""
    return [p.detach().float() for p in fit.adapter.parameters() if p.requires_grad]


def parameters(fit: Fitted, rank: int) -> Values:
    """How much is trainable, beside a LoRA on the same layers, and what is not."""
    own, sides = of_the_unet(fit), sides_of(fit)
    trainable = sum(p.numel() for p in own if p.requires_grad)
    return {
        "trainable numbers, beside a LoRA's": trainable / (rank * sum(map(sum, sides)))
        if sides
        else None,
        "frozen tensors in the adapter": float(sum(not p.requires_grad for p in own)),
    }


def zeros_of_a_lora(fit: Fitted) -> float | None:
    """Return the share of numbers that start at zero in a LoRA of the layers that are reached."""
    sides = sides_of(fit)
    zeros = sum(out for out, _ in sides)  # B is (out, rank), A is (rank, in)
    return zeros / sum(map(sum, sides)) if sides else None


def initial(fit: Fitted, fresh: Fitted) -> Values:
    """How the adapter's tensors start."""
    own = trainable_of(fresh)
    zero = [not bool(p.any()) for p in own]
    numbers = sum(p.numel() for p, z in zip(own, zero, strict=True) if z) / max(
        1, sum(p.numel() for p in own)
    )
    sizes = [
        float(p.square().mean().sqrt()) * p.shape[-1] ** 0.5
        for p, empty in zip(own, zero, strict=True)
        if not empty and p.dim() > 1
    ]
    return {
        "share that starts at zero": sum(zero) / max(1, len(own)),
        "numbers that start at zero, beside a LoRA's": ratio(numbers, zeros_of_a_lora(fit)),
        "size of the others, times the root of their width": statistics.mean(sizes)
        if sizes
        else None,
    }


def starting(fresh: Fitted) -> list[Tensor]:
    """Return the adapter's trainable tensors whose numbers are not all alike."""
    return [p for p in trainable_of(fresh) if p.numel() > 1 and float(p.std()) > 0]


def most_alike(fresh: Fitted) -> float | None:
    """Return the largest correlation of two tensors of the same shape."""
    by_shape: dict[torch.Size, list[Tensor]] = {}
    for tensor in starting(fresh):
        by_shape.setdefault(tensor.shape, []).append(tensor.flatten())
    found = []
    for tensors in by_shape.values():
        if len(tensors) > 1 and len(tensors[0]) >= LONG:
            rows = torch.corrcoef(torch.stack(tensors)).abs().fill_diagonal_(0)
            found.append(float(rows.max()))
    return max(found) if found else None


def seeded(fresh: Fitted, other: Fitted) -> str:
    """Tell whether another seed starts with other tensors."""
    pairs = zip(starting(fresh), starting(other), strict=False)
    return "others" if any(not a.equal(b) for a, b in pairs) else "the same tensors"
