"""Everything random about one training step, drawn so that steps do not depend on each other.

Shapes in comments: B batch, h w rows and columns of the latents (an eighth of the pixels).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor

if TYPE_CHECKING:
    from toolkit.core.settings import TrainConfig

# What a generator is for: generators of different purposes never share their numbers.
STEP, ORDER, TURNS, DROPOUT = range(4)


class Draw(NamedTuple):
    """Everything random about one step, on the CPU."""

    pictures: Tensor  # (B,) indices into the dataset, all of one size
    caption_dropped: Tensor  # (B,) bool
    posterior_noise: Tensor  # (B, 4, h, w)
    noise: Tensor  # (B, 4, h, w)
    timesteps: Tensor  # (B,)

    def part(self, rows: Tensor) -> Draw:
        """Return some rows of the batch."""
        return Draw(*(values[rows] for values in self))


def draw_step(
    step: int,
    shapes: Sequence[tuple[int, ...]],
    noise_scheduler: DDPMScheduler,
    config: TrainConfig,
) -> Draw:
    """Draw everything random about one step, for the whole batch.

    It depends on (seed, step) alone and not on the steps before, so a resumed run draws what an
    uninterrupted one does, several processes agree on the batch that they share, and two trainers
    with the same seed can be compared step by step.

    Args:
        step: Number of the step, from 1.
        shapes: (4, h, w) of each picture of the dataset.
        noise_scheduler: For the number of timesteps.
        config: Batch size, seed, share of hidden captions, noise offset.
    """
    generator = generator_of(config.seed, STEP, step)
    pictures = pictures_of(step, shapes, config)
    batch_shape = (config.batch_size, *shapes[int(pictures[0])])  # (B, 4, h, w)
    caption_dropped = torch.rand(config.batch_size, generator=generator) < config.caption_dropout
    posterior_noise = torch.randn(batch_shape, generator=generator)
    noise = torch.randn(batch_shape, generator=generator)
    timesteps = torch.randint(
        noise_scheduler.config.num_train_timesteps, (config.batch_size,), generator=generator
    )
    if config.noise_offset:
        # The base never sees a picture that is dark or bright all over, and so never draws one.
        # https://www.crosslabs.org/blog/diffusion-with-offset-noise
        offset = torch.randn((*batch_shape[:2], 1, 1), generator=generator)  # (B, 4, 1, 1)
        noise = noise + config.noise_offset * offset  # (B, 4, h, w)
    return Draw(pictures, caption_dropped, posterior_noise, noise, timesteps)


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
