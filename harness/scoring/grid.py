"""The primary figure: held-out denoising loss on a frozen grid.

Every model sees exactly the same (picture, timestep, noise) triples, so differences between two
models are differences between the models. Measured this way the spread over seeds is about a tenth
of that of the usual loss at random timesteps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.records import GridSpec, Loss

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

BATCH = 64


@dataclass(frozen=True)
class Grid:
    """All N = pictures x timesteps x noises items, ready to be denoised."""

    noisy_latents: Tensor  # (N, 4, h, w)
    noise: Tensor  # (N, 4, h, w)
    timesteps: Tensor  # (N,)
    caption_index: Tensor  # (N,) row of `captions`
    captions: list[str]


@torch.no_grad()
def build_grid(
    pipeline: StableDiffusionPipeline, pixel_values: Tensor, captions: list[str], spec: GridSpec
) -> Grid:
    """Encode the held-out pictures and add the grid's noise at the grid's timesteps.

    The noise comes from a CPU generator with the track's seed, item by item, so it is the same on
    every device. Latents are the posterior's mean: no draw hides in the encoder.
    """
    vae, device = pipeline.vae, pipeline.device
    latents = vae.encode(pixel_values.to(device)).latent_dist.mode()  # (P, 4, h, w)
    latents = latents * vae.config.scaling_factor
    pictures, steps, draws = len(latents), len(spec.timesteps), spec.noises_per_picture
    generator = torch.Generator().manual_seed(spec.seed)
    shape = (pictures * steps * draws, *latents.shape[1:])
    noise = torch.randn(shape, generator=generator).to(device)  # (N, 4, h, w)
    index = torch.arange(pictures).repeat_interleave(steps * draws)  # (N,)
    each = torch.tensor(spec.timesteps).repeat_interleave(draws)
    timesteps = each.repeat(pictures).to(device)  # (N,)
    alphas = pipeline.scheduler.alphas_cumprod.to(device)[timesteps].view(-1, 1, 1, 1)
    noisy_latents = alphas.sqrt() * latents[index] + (1 - alphas).sqrt() * noise
    return Grid(noisy_latents, noise, timesteps, index, captions)


@torch.no_grad()
def encode_captions(
    pipeline: StableDiffusionPipeline, text_encoder: nn.Module, captions: list[str]
) -> Tensor:
    """Return ``encoder_hidden_states`` of shape (len(captions), S, D)."""
    tokenizer = pipeline.tokenizer
    tokens = tokenizer(
        captions,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    states: Tensor = text_encoder(tokens.input_ids.to(pipeline.device))[0]
    return states


@torch.no_grad()
def heldout_loss(
    pipeline: StableDiffusionPipeline, unet: nn.Module, text_encoder: nn.Module, grid: Grid
) -> Loss:
    """Return the mean squared error between predicted and true noise, over the grid.

    Bands are the thirds of the timestep range 0-999: low (detail), middle, high (composition).
    """
    states = encode_captions(pipeline, text_encoder, grid.captions)  # (P, S, D)
    errors = []
    for start in range(0, len(grid.noise), BATCH):
        part = slice(start, start + BATCH)
        noise_pred = unet(
            grid.noisy_latents[part],
            grid.timesteps[part],
            encoder_hidden_states=states[grid.caption_index[part]],
        ).sample
        squared = (noise_pred - grid.noise[part]).double().square()
        errors.append(squared.mean(dim=(1, 2, 3)))  # (B,)
    per_item = torch.cat(errors)  # (N,)
    band = grid.timesteps * 3 // pipeline.scheduler.config.num_train_timesteps  # (N,) 0, 1 or 2
    low, middle, high = (float(per_item[band == k].mean()) for k in range(3))
    return Loss(mean=float(per_item.mean()), bands=(low, middle, high))
