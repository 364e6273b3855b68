"""How a layer answers: before training, for its own place, as a linear map, and backwards."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from torch import Tensor, nn

from harness.gate.experiments.adapter_measures.fitted import Fitted, question
from harness.gate.experiments.adapter_measures.tensors import of_the_unet

ZERO = torch.zeros(())


@torch.no_grad()
def distance(fresh: Fitted) -> float:
    """Return how far a layer's answer is from the base's before training, at most, relatively."""
    return max(
        float((live(question(clean, 1)) - clean(question(clean, 1))).norm())
        / float(clean(question(clean, 1)).norm())
        for clean, live in fresh.layers().values()
    )


def around(place: int, reach: int) -> slice:
    """Return what a kernel that reaches so far can change when one place does."""
    return slice(place - reach, place + reach + 1)


@torch.no_grad()
def elsewhere(fit: Fitted) -> float | None:
    """Return the share of a change that lies elsewhere than the input it answers, at most."""
    found = []
    place: tuple[Any, ...]
    near: tuple[Any, ...]
    for clean, live in fit.layers().values():
        if isinstance(clean, nn.Conv2d):
            reach = clean.kernel_size[0] // 2
            if clean.stride[0] != 1:
                continue
            place, near = (..., 1, 4), (..., around(1, reach), around(4, reach))
        elif isinstance(clean, nn.Linear):
            place = near = (0, 2)
        else:
            continue
        nothing = torch.zeros_like(question(clean, 1))
        dot = nothing.clone()
        dot[place] = question(clean, 1)[place]
        change = (live(dot) - clean(dot)) - (live(nothing) - clean(nothing))
        whole = float(change.square().sum())
        if whole > 1e-8:
            change[near] = 0
            found.append(float(change.square().sum()) / whole)
    return max(found) if found else None


def nonlinearity(fit: Fitted) -> float | None:
    """Return how far the changes are from linear: the sum's beside the sum of both."""
    worst: float | None = None
    with torch.no_grad():
        for clean, live in fit.layers().values():
            if not isinstance(clean, nn.Linear):
                continue
            a, b = question(clean, 1), question(clean, 2)
            zero = torch.zeros_like(a)

            def change(x: Tensor, clean: nn.Module = clean, live: nn.Module = live) -> Tensor:
                answer: Tensor = live(x) - clean(x)
                return answer

            base = change(zero)
            apart = change(a + b) - change(a) - change(b) + base
            size = float((change(a) - base).norm())
            if size > 1e-4:
                worst = max(worst or 0.0, float(apart.norm()) / size)
    return worst


def through(fit: Fitted) -> float | None:
    """Return how much of the change's gradient reaches what lies before the layer."""
    found = []
    for name, (clean, live) in fit.layers().items():
        if not isinstance(clean, nn.Linear) or ".attn2.to_" not in name:
            continue
        with torch.enable_grad():
            x = question(clean, 1).requires_grad_()
            weight = question(clean, 3).sum()
            change = (live(x) - clean(x)) * weight
            if float(change.detach().norm()) < 1e-5:
                continue
            (grad,) = torch.autograd.grad((change * change.detach()).sum(), x, allow_unused=True)
            # Of a linear change, half the gradient of its square along x is the square itself.
            along = 0.0 if grad is None else float((grad * x.detach()).sum())
            found.append(along / float(change.detach().square().sum()))
    return statistics.median(found) if found else None


def with_gradient(fit: Fitted) -> float | None:
    """Return which share of the adapter's trainable tensors gets a gradient from the changes."""
    own = [p for p in of_the_unet(fit) if p.requires_grad]
    with torch.enable_grad():
        answers = [live(question(clean, 1)) for clean, live in fit.layers().values()]
        total = torch.stack([a.square().sum() for a in answers if a.requires_grad] or [ZERO]).sum()
        if not own or not total.requires_grad:
            return 0.0 if own else None
        grads = torch.autograd.grad(total, own, allow_unused=True)
    return sum(g is not None and bool(g.any()) for g in grads) / len(own)
