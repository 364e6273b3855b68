"""Sampling with classifier-free guidance, for previews and for the evaluation."""

from __future__ import annotations

from typing import Final

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from .models import sampling_scheduler
from .settings import LATENT_CHANNELS, LATENT_SIZE, SCALING_FACTOR

# The documented defaults; evaluation.json holds the comparison they were chosen from.
GUIDANCE_SCALE: Final = 2.0
INFERENCE_STEPS: Final = 20


@torch.no_grad()
def sample_pictures(
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    prompts: list[str],
    seed: int,
    guidance_scale: float = GUIDANCE_SCALE,
    inference_steps: int = INFERENCE_STEPS,
) -> torch.Tensor:
    """Sample one picture for each prompt with the default scheduler.

    Args:
        vae: Decoder.
        unet: Noise predictor.
        text_encoder: Prompt encoder.
        tokenizer: Prompt tokenizer.
        prompts: B prompts.
        seed: Seed of the starting noise; picture i starts from the same noise for any guidance.
        guidance_scale: 1 switches guidance off.
        inference_steps: Steps of the sampler.

    Returns:
        pixel_values (B, 3, 64, 64) in [-1, 1] on the CPU.
    """
    scheduler = sampling_scheduler()
    scheduler.set_timesteps(inference_steps)
    ids = tokenizer(
        ["", *prompts], padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    hidden = text_encoder(ids.to(unet.device)).last_hidden_state  # (1 + B, S, D)
    empty, asked = hidden[:1].expand(len(prompts), -1, -1), hidden[1:]
    generator = torch.Generator().manual_seed(seed)
    shape = (len(prompts), LATENT_CHANNELS, LATENT_SIZE, LATENT_SIZE)
    latents = torch.randn(shape, generator=generator).to(unet.device)  # (B, 4, 8, 8)
    for timestep in scheduler.timesteps:
        if guidance_scale == 1.0:
            noise_pred = unet(latents, timestep, asked).sample
        else:
            both = unet(torch.cat([latents] * 2), timestep, torch.cat([empty, asked])).sample
            without, towards = both.chunk(2)  # (B, 4, 8, 8) each
            noise_pred = without + guidance_scale * (towards - without)
        latents = scheduler.step(noise_pred, timestep, latents).prev_sample
    decoded = [vae.decode(part / SCALING_FACTOR).sample for part in torch.split(latents, 32)]
    return torch.cat(decoded).clamp(-1, 1).cpu()
