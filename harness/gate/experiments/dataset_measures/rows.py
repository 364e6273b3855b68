"""A row of plain pictures: their number, their order, and whose caption each has."""

from __future__ import annotations

import torch

from harness.gate.experiments.dataset_measures.reading import Items
from harness.gate.profile.card_contents import ROW, TEXTS
from harness.gate.profile.property import Values


def length(row: Items, texts: Items) -> Values:
    """How many items are made of the pictures of a folder."""
    return {
        "items for each picture of the row": len(row) / len(ROW),
        "different pictures": float(len({tuple(p.mean((1, 2)).tolist()) for p, _ in row})),
        "items for each picture with odd captions": len(texts) / len(TEXTS),
    }


def names(row: Items) -> list[str]:
    """Return the colour of each item: the nearest, whatever its range of values is."""
    table = {name: torch.tensor(rgb).float() / 127.5 - 1 for name, rgb in ROW_COLOURS.items()}
    low = min((float(p.min()) for p, _ in row), default=-1.0)
    high = max((float(p.max()) for p, _ in row), default=1.0)
    span = max(high - low, 1e-6)
    found = []
    for pixels, _ in row:
        mean = ((pixels - low) / span * 2 - 1).mean((1, 2))
        found.append(min(table, key=lambda name: float((table[name] - mean).norm())))
    return found


ROW_COLOURS = dict(ROW.values())


def pairs(row: Items) -> Values:
    """Whether each picture has its own caption, red and blue told apart or not."""
    shares = []
    for order in ((0, 1, 2), (2, 1, 0)):
        shown = names([(p[list(order)], c) for p, c in row]) if row and len(row[0][0]) == 3 else []
        # A caption that names no colour was changed, which dataset.captions tells.
        pairs_of = [(n, c) for n, (_, c) in zip(shown, row, strict=False) if names_colour(c)]
        if pairs_of:
            shares.append(sum(name in caption for name, caption in pairs_of) / len(pairs_of))
    return {"share with their own": max(shares) if shares else None}


def names_colour(caption: str) -> bool:
    """Tell whether a caption names one of the row's colours."""
    return any(colour in caption for colour in ROW_COLOURS)
