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

from harness.protocol.figures import Loss
from harness.protocol.track_file import GridSpec

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


@dataclass(frozen=True)
class Grid:
    """All N = pictures x timesteps x noises items, ready to be denoised."""

    noisy_latents: Tensor  # (N, 4, h, w)
    noise: Tensor  # (N, 4, h, w)
    timesteps: Tensor  # (N,)
    caption_index: Tensor  # (N,) row of `captions`; items of one picture lie together
    captions: list[str]
    batch_size: int


@torch.no_grad()
def encode_pictures(pipeline: StableDiffusionPipeline, pixel_values: Tensor, batch: int) -> Tensor:
    """Return scaled latents (P, 4, h, w): the posterior's mean, so that no draw hides in it."""
    vae = pipeline.vae
    parts = [
        vae.encode(part.to(pipeline.device)).latent_dist.mode()
        for part in torch.split(pixel_values, batch)
    ]
    return torch.cat(parts) * float(vae.config.scaling_factor)


@torch.no_grad()
def build_grid(
    pipeline: StableDiffusionPipeline, latents: Tensor, captions: list[str], spec: GridSpec
) -> Grid:
    """Add the grid's noise to latents at the grid's timesteps.

    The noise comes from a CPU generator with the track's seed, so it is the same on every device.

    Args:
        pipeline: The base; its scheduler defines the noise levels.
        latents: (P, 4, h, w), scaled.
        captions: P texts.
        spec: Timesteps, noises per picture and seed.
    """
    pictures, steps, draws = len(latents), len(spec.timesteps), spec.noises_per_picture
    generator = torch.Generator().manual_seed(spec.seed)
    shape = (pictures * steps * draws, *latents.shape[1:])
    noise = torch.randn(shape, generator=generator).to(latents.device)  # (N, 4, h, w)
    index = torch.arange(pictures).repeat_interleave(steps * draws)  # (N,)
    each = torch.tensor(spec.timesteps).repeat_interleave(draws)
    timesteps = each.repeat(pictures).to(latents.device)  # (N,)
    alphas = pipeline.scheduler.alphas_cumprod.to(latents.device)[timesteps].view(-1, 1, 1, 1)
    noisy_latents = alphas.sqrt() * latents[index] + (1 - alphas).sqrt() * noise
    return Grid(noisy_latents, noise, timesteps, index, captions, spec.batch_size)


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
def predict_noise(
    pipeline: StableDiffusionPipeline, unet: nn.Module, text_encoder: nn.Module, grid: Grid
) -> Tensor:
    """Return the predicted noise of every item, (N, 4, h, w)."""
    states = encode_captions(pipeline, text_encoder, grid.captions)  # (P, S, D)
    parts = []
    for start in range(0, len(grid.noise), grid.batch_size):
        part = slice(start, start + grid.batch_size)
        noise_pred = unet(
            grid.noisy_latents[part],
            grid.timesteps[part],
            encoder_hidden_states=states[grid.caption_index[part]],
        ).sample
        parts.append(noise_pred)
    return torch.cat(parts)


def loss_of(noise_pred: Tensor, grid: Grid) -> Loss:
    """Return the mean squared error between predicted and true noise, over the grid.

    Bands are the thirds of the timestep range 0-999: low (detail), middle, high (composition).
    """
    per_item = (noise_pred - grid.noise).double().square().mean(dim=(1, 2, 3)).cpu()  # (N,)
    band = (grid.timesteps * 3 // 1000).cpu()  # (N,) 0, 1 or 2
    low, middle, high = (float(per_item[band == k].mean()) for k in range(3))
    pictures = per_item.view(len(grid.captions), -1).mean(dim=1)  # (P,)
    return Loss(
        mean=float(per_item.mean()), bands=(low, middle, high), pictures=tuple(pictures.tolist())
    )


def relative_difference(noise_pred: Tensor, base_pred: Tensor) -> float:
    """Return ||own - base||^2 / ||base||^2 over all items: 0 means nothing changed."""
    difference = (noise_pred.double() - base_pred.double()).square().sum()
    return float(difference / base_pred.double().square().sum())
