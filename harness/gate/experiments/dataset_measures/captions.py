"""What becomes of odd captions."""

from __future__ import annotations

import torch

from harness.gate.experiments.dataset_measures.reading import Items
from harness.gate.profile.card_contents import CORNERS, TEXTS
from harness.gate.profile.property import Values


def captions(texts: Items) -> Values:
    """The whole text of odd captions; the items are told apart by their colour.

    How much white space stands between two words is no difference: the tokenizer reads it as one.
    """
    by_number: dict[int, str] = {}
    variants: set[str] = set()  # of the first one, where an item is made of it several times
    for number, (_, caption) in zip(numbers(texts), texts, strict=True):
        words = " ".join(caption.split())
        by_number.setdefault(number, words)
        variants |= {words} if number == 0 else set()
    first, *_ = TEXTS
    found: Values = {f"variants of the one {first}": " | ".join(sorted(variants))}
    for i, name in enumerate(TEXTS):
        found[name] = repr(shortened(by_number[i])) if i in by_number else None
    return found


def numbers(texts: Items) -> list[int]:
    """Return the number of each item's text: by its colour, or by its place if colours are lost."""
    corners = torch.tensor(CORNERS).float() / 255  # (8, 3)
    means = torch.stack([pixels.flatten(1).mean(1) for pixels, _ in texts] or [torch.zeros(3)])
    if means.shape[1] != corners.shape[1]:
        return [i % len(TEXTS) for i in range(len(texts))]
    low, high = means.min(), means.max()
    nearest = torch.cdist((means - low) / (high - low).clamp_min(1e-6), corners).argmin(dim=1)
    if len(set(nearest.tolist())) < min(len(texts), len(TEXTS)):
        return [i % len(TEXTS) for i in range(len(texts))]
    return nearest.tolist()[: len(texts)]


def shortened(text: str) -> str:
    """Return a text with its middle left out if it is long."""
    return text if len(text) <= 60 else f"{text[:25]} ... {text[-15:]} ({len(text)} characters)"
