"""The loss on a fixed grid: the same pictures, noise and timesteps each time.

The training loss jumps with the timesteps that a step happens to draw. This one falls while
something is learnt, and rises again when the pictures are learnt by heart, if they were held back.

Shapes in comments: T timesteps of the grid, h w rows and columns of the latents, S tokens, D text
width.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset, Subset

from toolkit.picture_sets.encoded import tokenize
from toolkit.picture_sets.latent_cache import KeyedDataset

from .objective import training_target

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# Shares of the scheduler's timesteps: 100, 300, 500, 700 and 900 of SD's 1000.
GRID = (0.1, 0.3, 0.5, 0.7, 0.9)
MOST_PICTURES = 8
SEED = 20_240_822  # of the grid's noise; no run uses it for anything else


def split_dataset(
    dataset: Dataset[tuple[Tensor, str]], share: float, seed: int
) -> tuple[Dataset[tuple[Tensor, str]], Dataset[tuple[Tensor, str]]]:
    """Hold back a share of the pictures, repeats and mirror images with their original.

    Returns:
        The part to train on, and the part to validate on: the whole of it when the share is 0.

    Raises:
        ValueError: There are too few pictures to hold one back.
    """
    items: Any = dataset
    keyed = isinstance(dataset, KeyedDataset)
    names = [items.name_of(i) if keyed else str(i) for i in range(len(items))]
    if not share:
        return dataset, dataset
    distinct = sorted(set(names))
    count = max(1, round(share * len(distinct)))
    if count >= len(distinct):
        raise ValueError(
            f"--validation-share {share:g} of {len(distinct)} pictures leaves none to train on."
        )
    order = torch.randperm(len(distinct), generator=torch.Generator().manual_seed(seed))
    held = {distinct[i] for i in order[:count].tolist()}
    kept = [i for i, name in enumerate(names) if name not in held]
    back = [i for i, name in enumerate(names) if name in held]
    return Subset(dataset, kept), Subset(dataset, back)


class Validation:
    """The grid, encoded once; ``loss`` measures the model as it is.

    Args:
        pipeline: The base with the adapter attached.
        items: ``(pixel_values (3, H, W), caption)``; the first few are used.
        autocast: Opens the precision that the run computes in.
    """

    def __init__(
        self,
        pipeline: StableDiffusionPipeline,
        items: Any,
        autocast: AbstractContextManager[Any],
    ) -> None:
        self._pipeline = pipeline
        self._autocast = autocast
        self._scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
        steps = self._scheduler.config.num_train_timesteps
        self._timesteps = torch.tensor([int(share * steps) for share in GRID])  # (T,)
        chosen = [items[i] for i in range(min(MOST_PICTURES, len(items)))]
        self._latents = [self._encode(pixel_values) for pixel_values, _ in chosen]
        self._input_ids = [tokenize(pipeline.tokenizer, [caption]) for _, caption in chosen]
        generator = torch.Generator().manual_seed(SEED)
        shape = (len(GRID),)
        self._noise = [
            torch.randn((*shape, *latents.shape), generator=generator) for latents in self._latents
        ]  # (T, 4, h, w) each

    @torch.no_grad()
    def loss(self) -> float:
        """Return the mean squared error over the grid, without touching any generator."""
        pipeline, losses = self._pipeline, []
        device = pipeline.unet.device
        text_device = pipeline.text_encoder.device
        for latents, ids, noise in zip(self._latents, self._input_ids, self._noise, strict=True):
            hidden = pipeline.text_encoder(ids.to(text_device))[0].to(device)  # (1, S, D)
            for timestep, own_noise in zip(self._timesteps, noise, strict=True):
                batch = (latents[None].to(device), own_noise[None].to(device))  # (1, 4, h, w) each
                noisy = self._scheduler.add_noise(*batch, timestep[None].to(device))
                with self._autocast:
                    predicted = pipeline.unet(
                        noisy, timestep.to(device), encoder_hidden_states=hidden
                    ).sample  # (1, 4, h, w)
                target = training_target(self._scheduler, *batch, timestep[None].to(device))
                losses.append(F.mse_loss(predicted.float(), target.float()))
        return float(torch.stack(losses).mean())

    @torch.no_grad()
    def _encode(self, pixel_values: Tensor) -> Tensor:
        vae = self._pipeline.vae
        posterior = vae.encode(pixel_values[None].to(vae.device, vae.dtype)).latent_dist
        mean: Tensor = posterior.mean[0].float().cpu() * vae.config.scaling_factor  # (4, h, w)
        return mean
