"""Everything random about one training step, drawn so that steps do not depend on each other.

Shapes in comments: B batch, h w rows and columns of the latents (an eighth of the pixels).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor

if TYPE_CHECKING:
    from harness.records import TrainConfig


class Draw(NamedTuple):
    """Everything random about one step, on the CPU."""

    pictures: Tensor  # (B,) indices into the dataset
    caption_dropped: Tensor  # (B,) bool
    posterior_noise: Tensor  # (B, 4, h, w)
    noise: Tensor  # (B, 4, h, w)
    timesteps: Tensor  # (B,)


def draw_step(
    step: int,
    count: int,
    latent_shape: tuple[int, ...],
    noise_scheduler: DDPMScheduler,
    config: TrainConfig,
) -> Draw:
    """Draw everything random about one step.

    It depends on (seed, step) alone and not on the steps before, so a resumed run draws what an
    uninterrupted one does, and two trainers with the same seed can be compared step by step.

    Args:
        step: Number of the step, from 1.
        count: Pictures in the dataset.
        latent_shape: (4, h, w).
        noise_scheduler: For the number of timesteps.
        config: Batch size, seed and share of hidden captions.
    """
    generator = generator_of(config.seed, step)
    batch_size = config.batch_size
    return Draw(
        pictures=pictures_of(step, count, config),
        caption_dropped=torch.rand(batch_size, generator=generator) < config.caption_dropout,
        posterior_noise=torch.randn((batch_size, *latent_shape), generator=generator),
        noise=torch.randn((batch_size, *latent_shape), generator=generator),
        timesteps=torch.randint(
            noise_scheduler.config.num_train_timesteps, (batch_size,), generator=generator
        ),
    )


def pictures_of(step: int, count: int, config: TrainConfig) -> Tensor:
    """Return which pictures a step sees, (B,): each once in random order, then all again."""
    first = (step - 1) * config.batch_size
    last = first + config.batch_size
    epochs = range(first // count, (last - 1) // count + 1)
    # -1 - epoch: numbers that no step uses.
    orders = [
        torch.randperm(count, generator=generator_of(config.seed, -1 - epoch)) for epoch in epochs
    ]
    start = first - epochs[0] * count
    return torch.cat(orders)[start : start + config.batch_size]


def generator_of(seed: int, number: int) -> torch.Generator:
    """Return a generator that belongs to the pair (seed, number).

    torch's CPU generator looks at the low 32 bits of its seed only, so ``seed * 2**32 + step``
    would give every seed the same noise. SeedSequence mixes both numbers into 32 bits.
    """
    entropy = (seed, abs(number), int(number < 0))
    mixed = np.random.SeedSequence(entropy).generate_state(1, np.uint32)[0]
    return torch.Generator("cpu").manual_seed(int(mixed))
