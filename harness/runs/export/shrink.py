"""A LoRA of anything: singular values of the change, and the rank that an error asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.runs.export.change import Change
from toolkit.lora_files.extract import extract_lora
from toolkit.lora_files.memory import Lora


@dataclass(frozen=True)
class Nearness:
    """How near a LoRA comes to a change.

    Args:
        total: ||change - LoRA|| / ||change||, over all layers together.
        worst_layer: Where the same, for one layer, is largest.
        worst: Its error.
        layers: The error of each layer.
    """

    total: float
    worst_layer: str
    worst: float
    layers: dict[str, float]


def singular_values(change: Change) -> dict[str, Tensor]:
    """Return each layer's singular values, in falling order, float64 (n,)."""
    found = {}
    for name, delta in change.layers.items():
        found[name] = torch.linalg.svdvals(delta.flatten(1)).double()  # (n,)
    return found


def smallest_rank(values: Mapping[str, Tensor], error: float) -> int:
    """Return the smallest rank whose truncation leaves out at most ``error`` of the whole norm.

    Args:
        values: Singular values of each layer.
        error: ||left out|| / ||all||, above 0 and below 1.
    """
    longest = max(len(one) for one in values.values())
    squares = torch.zeros(longest, dtype=torch.float64)
    for one in values.values():
        squares[: len(one)] += one.square()
    total = float(squares.sum())
    left_out = total - squares.cumsum(0)  # (n,): when ranks up to the index + 1 are kept
    enough = (left_out <= error**2 * total).nonzero()
    return int(enough[0]) + 1


def shrunk(change: Change, rank: int) -> Lora:
    """Return the nearest LoRA of at most this rank in each layer."""
    deltas = ((f"{name}.weight", delta) for name, delta in change.layers.items())
    return extract_lora(deltas, rank=rank, layout=change.layout).lora


def nearness(change: Change, lora: Lora) -> Nearness:
    """Measure what a LoRA leaves out of a change, layer by layer."""
    lost, held, layers = 0.0, 0.0, {}
    for name, delta in change.layers.items():
        wanted = delta.double()
        layer = lora.layers.get(name)
        missing = wanted - layer.delta() if layer else wanted
        one, all_of_it = float(missing.square().sum()), float(wanted.square().sum())
        lost, held = lost + one, held + all_of_it
        layers[name] = math.sqrt(one / all_of_it) if all_of_it else 0.0
    worst = max(layers, key=lambda name: layers[name])
    return Nearness(math.sqrt(lost / held), worst, layers[worst], layers)
