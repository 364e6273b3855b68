"""Whose turn it is in a training step, and the random numbers that belong to it alone.

Shapes in comments: B batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from toolkit.core.settings import TrainConfig

# What a generator is for: generators of different purposes never share their numbers.
STEP, ORDER, TURNS, DROPOUT = range(4)


def pictures_of(step: int, shapes: Sequence[tuple[int, ...]], config: TrainConfig) -> Tensor:
    """Return which pictures a step sees, (B,): all of one size, and no picture more than another.

    The sizes take turns: in a round of as many steps as there are pictures, each size has as many
    turns as it has pictures, in random order. Within a size, each picture comes once in random
    order, then all again.
    """
    groups = group_by_size(shapes)
    rounds, place = divmod(step - 1, len(shapes))
    order = torch.randperm(len(shapes), generator=generator_of(config.seed, TURNS, rounds))
    owners = torch.cat([torch.full((len(g),), i) for i, g in enumerate(groups)])[order]
    number = int(owners[place])
    group = groups[number]
    turn = rounds * len(group) + int((owners[:place] == number).sum())

    first, count = turn * config.batch_size, len(group)
    epochs = range(first // count, (first + config.batch_size - 1) // count + 1)
    generators = [generator_of(config.seed, ORDER, epoch, number) for epoch in epochs]
    orders = torch.cat([torch.randperm(count, generator=own) for own in generators])
    start = first - epochs[0] * count
    return group[orders[start : start + config.batch_size]]


def group_by_size(shapes: Sequence[tuple[int, ...]]) -> list[Tensor]:
    """Return the indices of the pictures of each size; the sizes in ascending order."""
    return [
        torch.tensor([i for i, shape in enumerate(shapes) if shape == size])
        for size in sorted(set(shapes))
    ]


def generator_of(seed: int, purpose: int, number: int, of: int = 0) -> torch.Generator:
    """Return a generator that belongs to these four numbers.

    torch's CPU generator looks at the low 32 bits of its seed only, so ``seed * 2**32 + step``
    would give every seed the same noise. SeedSequence mixes all numbers into 32 bits.
    """
    return torch.Generator("cpu").manual_seed(seed_of(seed, purpose, number, of))


def seed_of(seed: int, purpose: int, number: int, of: int = 0) -> int:
    """Mix four whole numbers into one of 32 bits."""
    sequence = np.random.SeedSequence((seed, purpose, number, of))
    return int(sequence.generate_state(1, np.uint32)[0])
