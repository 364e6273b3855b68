"""What chance has to do with it: dropout, and the state of torch's generator."""

from __future__ import annotations

import torch

from harness.gate.experiments.adapter_measures.fitted import Fitted, changes_of


def varies(fit: Fitted, *, training: bool = True) -> str:
    """Tell whether the same question gets another answer the second time."""
    for model in (fit.live.unet, fit.adapter):
        model.train(training)
    first, second = changes_of(fit), changes_of(fit)
    for model in (fit.live.unet, fit.adapter):
        model.eval()
    same = all(torch.equal(first[name], second[name]) for name in first)
    return "the same answer" if same else "another answer"


def dropped(fit: Fitted) -> float | None:
    """Return how far dropout takes the changes from those without, as a share of their size."""
    clean = changes_of(fit)
    for model in (fit.live.unet, fit.adapter):
        model.train()
    noisy = changes_of(fit)
    for model in (fit.live.unet, fit.adapter):
        model.eval()
    size = sum(float(change.double().square().sum()) for change in clean.values())
    apart = sum(float((noisy[n] - c).double().square().sum()) for n, c in clean.items())
    return apart / size if size else None


def afterwards(fresh: Fitted, other: Fitted) -> str:
    """Tell whether torch's generator still follows from the seed after make_lora."""
    reset = torch.equal(fresh.chance, other.chance)
    return "the same for all seeds" if reset else "as the seed makes it"
