"""Add several LoRAs up into one that does exactly what they do together.

The sum of the deltas  s1 B1 A1 + s2 B2 A2  is again a product, of the factors put side by side:

    [sqrt(s1) B1, sqrt(s2) B2]  times  [sqrt(s1) A1; sqrt(s2) A2]         rank r1 + r2

Adding the factors themselves, (B1 + B2)(A1 + A2), is not the sum: it has B1 A2 and B2 A1 in it,
which no training produced.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from toolkit.core.errors import HubError

from .factors import folded, norm
from .memory import Lora, LoraLayer

# Allowed deviation of a merged layer, as a share of what its parts weigh. Rounding float32 factors
# gives 1e-7, float16 5e-4.
TOLERANCE: Final = 1e-2


def merge_loras(loras: Sequence[Lora], weights: Sequence[float], names: Sequence[str] = ()) -> Lora:
    """Return the weighted sum of several LoRAs, by rank concatenation.

    Args:
        loras: At least one.
        weights: As many; 1 keeps a LoRA's strength, negative ones take it away.
        names: What they are called, for the metadata.

    Returns:
        A LoRA on every layer that any of them has, with alpha = rank.

    Raises:
        HubError: Numbers that do not match, or LoRAs made for different base models.
    """
    if not loras or len(loras) != len(weights):
        raise HubError(
            f"There are {len(loras)} LoRAs and {len(weights)} weights.",
            fix="Give one weight for each LoRA, or none for 1 each.",
        )
    if not all(math.isfinite(weight) for weight in weights):
        raise HubError(f"A weight is no number: {list(weights)}.")
    layers = {}
    for name in sorted({name for lora in loras for name in lora.layers}):
        parts = [
            scaled(lora.layers[name], weight)
            for lora, weight in zip(loras, weights, strict=True)
            if name in lora.layers and weight != 0
        ]
        if parts:
            layers[name] = _side_by_side(name, parts)
    if not layers:
        raise HubError("All weights are zero: nothing is left to write.")
    titles = list(names) or [f"LoRA {i}" for i in range(1, len(loras) + 1)]
    metadata = {
        "modelspec.merged_from": ", ".join(titles),
        "hub.merge": json.dumps(dict(enumerate(zip(titles, weights, strict=True), start=1))),
    }
    return Lora(layers, metadata, embeddings=_all_embeddings(loras))


def _all_embeddings(loras: Sequence[Lora]) -> dict[str, Tensor]:
    """Return the words of all files; a word cannot have two meanings."""
    found: dict[str, Tensor] = {}
    for lora in loras:
        for key, tensor in lora.embeddings.items():
            if key in found and not torch.equal(found[key], tensor):
                raise HubError(
                    f"Two of the files have an embedding for the word {key.split('.')[1]!r}.",
                    fix="Convert one of them with --without-embeddings first.",
                )
            found[key] = tensor
    return found


def scaled(layer: LoraLayer, weight: float) -> LoraLayer:
    """Return a layer that does ``weight`` times as much, with alpha = rank."""
    return folded(LoraLayer(layer.down, layer.up, layer.alpha * weight))


def _side_by_side(name: str, parts: list[LoraLayer]) -> LoraLayer:
    shapes = {(part.up.shape[0], *part.down.shape[1:]) for part in parts}
    if len(shapes) > 1:
        raise HubError(
            f"The LoRAs were made for different base models: {name} is {sorted(shapes)}.",
            fix="Merge only LoRAs of one base.",
        )
    down = torch.cat([part.down for part in parts])  # (r1 + r2, in, ...)
    up = torch.cat([part.up for part in parts], dim=1)  # (out, r1 + r2, ...)
    return LoraLayer(down, up, float(down.shape[0]))


def sum_error(merged: Lora, loras: Sequence[Lora], weights: Sequence[float]) -> float:
    """Return how far a merged LoRA is from the sum of the deltas, over its worst layer.

    The difference, merged delta minus all the parts, is once more a product of factors side by
    side; its norm follows from them in float64, without forming a delta.

    Returns:
        The Frobenius norm of the difference, divided by the sum of the norms of the parts (not by
        the norm of the sum, which is next to nothing where LoRAs cancel out).
    """
    worst = 0.0
    for name in sorted({name for lora in loras for name in lora.layers}):
        parts = [
            (lora.layers[name], weight)
            for lora, weight in zip(loras, weights, strict=True)
            if name in lora.layers
        ]
        terms = [(part, -weight) for part, weight in parts]
        if name in merged.layers:
            terms.append((merged.layers[name], 1.0))
        size = sum(norm(part) * abs(weight) for part, weight in parts)
        if size > 0:
            worst = max(worst, _norm_of_sum(terms) / size)
    return worst


def _norm_of_sum(terms: list[tuple[LoraLayer, float]]) -> float:
    """Return ||sum of weight * delta||."""
    up = torch.cat([x.up.double().flatten(1) * x.scale * w for x, w in terms], dim=1)  # (out, R)
    down = torch.cat([x.down.double().flatten(1) for x, _ in terms])  # (R, in k k)
    # Orthogonal factors do not change the norm: what is left is at most (R, R).
    r_up, r_down = torch.linalg.qr(up, mode="r").R, torch.linalg.qr(down.T, mode="r").R
    return float((r_up @ r_down.T).norm())
