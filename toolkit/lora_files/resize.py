"""Make a LoRA smaller: keep the largest singular values of each layer's delta.

No matrix of that rank is nearer to the delta (Eckart and Young 1936). The factors of a trained LoRA
rarely use their whole rank, so a half or a quarter of it often does nearly the same.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from toolkit.core.errors import HubError, UsageError

from .factors import layer_from_svd, rank_for, small_svd
from .memory import Lora


@dataclass(frozen=True)
class Resized:
    """A smaller LoRA and what it cost.

    Args:
        lora: The new one.
        relative_error: ||old delta - new delta|| / ||old delta||, over all layers together.
    """

    lora: Lora
    relative_error: float


def resize_lora(lora: Lora, rank: int | None = None, energy: float | None = None) -> Resized:
    """Reduce a LoRA's rank.

    Args:
        lora: The LoRA.
        rank: At most so many singular values in each layer.
        energy: In each layer as few as make up this share of its squared norm, above 0 to 1.

    Raises:
        UsageError: Neither is given, or out of range.
        HubError: No layer would become smaller.
    """
    check_size(rank, energy)
    layers, lost, total = {}, 0.0, 0.0
    for name, layer in lora.layers.items():
        u, s, v = small_svd(layer)
        keep = rank_for(s, rank, energy)
        total += float(s.square().sum())
        if keep >= layer.rank:
            layers[name] = layer
            continue
        lost += float(s[keep:].square().sum())
        shape = (layer.up.shape[0], *layer.down.shape[1:])
        layers[name] = layer_from_svd(u[:, :keep], s[:keep], v[:, :keep], shape)
    if all(layers[name] is layer for name, layer in lora.layers.items()):
        raise HubError(
            f"No layer becomes smaller: the ranks are {sorted(lora.ranks())} already.",
            fix="Ask for a smaller --rank or --energy.",
        )
    error = math.sqrt(lost / total) if total else 0.0
    note = json.dumps({"rank": rank, "energy": energy, "relative_error": float(f"{error:.3e}")})
    metadata = {**lora.metadata, "hub.resize": note}
    return Resized(Lora(layers, metadata, embeddings=lora.embeddings), error)


def check_size(rank: int | None, energy: float | None) -> None:
    """Check what the user asks for.

    Raises:
        UsageError: Neither number is given, or one is out of range.
    """
    if rank is None and energy is None:
        raise UsageError("Say how small: --rank N, --energy 0.95, or both.")
    if rank is not None and rank < 1:
        raise UsageError(f"--rank is {rank}; the smallest LoRA has rank 1.")
    if energy is not None and not 0 < energy <= 1:
        raise UsageError(f"--energy is {energy}; it is a share, above 0 and at most 1.")
