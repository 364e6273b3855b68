"""What becomes of the decoded pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.gate.experiments.drawing_measures.latents import starts
from harness.gate.experiments.drawing_measures.studio import Drawn
from harness.gate.profile.property import Values


def same_pictures(some: Drawn, others: Drawn) -> str:
    """Tell whether pictures are those of another drawing, as far as both go."""
    pairs = zip(some.pictures, others.pictures, strict=False)
    apart = [
        float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max())
        if a.size == b.size
        else 255.0
        for a, b in pairs
    ]
    # A batch of another size may round the last bit otherwise.
    return "the same" if apart and max(apart) <= 1 else "another picture"


def decoded(drawn: Drawn) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Return what the decoder made as pictures of 0 to 255, (H, W, 3) each."""
    return [
        ((made / 2 + 0.5).clamp(0, 1) * 255).round().permute(1, 2, 0).double().numpy()
        for made in drawn.decoder.made
    ]


def distances(drawn: Drawn) -> list[list[float]]:
    """Return how far each picture is from each that was decoded, 0 to 255."""
    made = decoded(drawn)
    found = []
    for picture in drawn.pictures:
        shown = np.asarray(picture.convert("RGB"), dtype=np.float64)
        found.append(
            [
                float(np.abs(shown - one).mean()) if shown.shape == one.shape else 255.0
                for one in made
            ]
        )
    return found


def order(drawn: Drawn) -> str:
    """Return which of the pictures that were decoded each picture is nearest to."""
    rows = distances(drawn)
    return ", ".join(str(row.index(min(row)) + 1) if row else "none" for row in rows)


def pixels(drawn: Drawn) -> Values:
    """How far pictures are from what was decoded, and what was decoded from the latents."""
    rows = [min(row) for row in distances(drawn) if row]
    given = [float(latents.std()) for latents in drawn.decoder.given]
    return {
        "distance from what was decoded (0 to 255)": sum(rows) / len(rows) if rows else None,
        "deviation of what is decoded": sum(given) / len(given) if given else None,
    }


def size(drawn: Drawn) -> Values:
    """The size of latents and pictures, width by height, when 96 by 64 pixels are asked for."""
    first = starts(drawn)
    sizes = {f"{picture.width} x {picture.height}" for picture in drawn.pictures}
    return {
        "latents": f"{first.shape[-1]} x {first.shape[-2]}" if len(first) else None,
        "pictures": ", ".join(sorted(sizes)),
        "number": float(len(drawn.pictures)),
    }
