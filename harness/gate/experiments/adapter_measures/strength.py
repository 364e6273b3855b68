"""How strong the change of cross-attention is, and of which rank."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from harness.gate.experiments.adapter_measures.fitted import Fitted, changes_of, fitted
from harness.gate.experiments.adapter_measures.layers import REACHED
from harness.gate.experiments.context import Context
from harness.gate.profile.property import Values
from harness.worker.hooks import Hooks
from toolkit.core.errors import HubError


def named_twice(context: Context, hooks: Hooks) -> float | None:
    """Return how strong layers are that two targets name, beside those that one names."""
    try:
        once = fitted(context, hooks, target_modules=("attn2.to_k",))
        twice = fitted(context, hooks, target_modules=("to_k", "attn2.to_k"))
    except HubError:
        return None
    return ratio(strength(twice), strength(once))


def narrowest(fit: Fitted) -> int:
    """Return the smaller side of the narrowest matrix of cross-attention."""
    layers = [c for n, (c, _) in fit.layers().items() if ".attn2.to_" in n]
    return min(min(layer.weight.shape) for layer in layers if isinstance(layer, nn.Linear))


def ratio(a: float | None, b: float | None) -> float | None:
    """Return a quotient, or None."""
    return a / b if a is not None and b else None


def matrices(fit: Fitted) -> list[Tensor]:
    """Return the change of each linear layer that is reached, as a matrix (in, out)."""
    found = []
    with torch.no_grad():
        for name, (clean, live) in fit.layers().items():
            if isinstance(clean, nn.Linear) and ".attn2.to_" in name:
                unit = torch.eye(clean.in_features)[None]
                nothing = torch.zeros_like(unit)
                change = live(unit) - clean(unit) - (live(nothing) - clean(nothing))
                if float(change.norm()) > REACHED:
                    found.append(change[0])
    return found


def highest_rank(fit: Fitted) -> float | None:
    """Return the highest rank of a change of the layers of cross-attention."""
    ranks = []
    for matrix in matrices(fit):
        values = torch.linalg.svdvals(matrix.double())
        ranks.append(int((values > 1e-4 * values[0]).sum()))
    return float(max(ranks)) if ranks else None


def strength(fit: Fitted) -> float | None:
    """Return the root mean square of the numbers in the changes of cross-attention."""
    found = matrices(fit)
    if not found:
        return None
    return float(torch.cat([m.flatten() for m in found]).double().square().mean().sqrt())


def lora_scale(fit: Fitted) -> Values:
    """What half the strength and none leave of the change."""
    layers: list[Any] = [m for m in fit.adapter.modules() if hasattr(m, "lora_scale")]
    if not layers:
        return {"at half the strength": "it cannot be scaled"}

    def change(scale: float) -> float:
        for layer in layers:
            layer.lora_scale = scale
        return sum(float(c.norm()) for c in changes_of(fit).values())

    whole, half, twice, none = change(1.0), change(0.5), change(2.0), change(0.0)
    change(1.0)
    if not whole:
        return {}
    return {
        "at half the strength": half / whole,
        "at twice the strength": twice / whole,
        "at none": none / whole,
    }
