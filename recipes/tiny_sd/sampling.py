"""Sampling with classifier-free guidance, for previews and for the evaluation."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from .models import ddim_scheduler, sampling_scheduler
from .settings import LATENT_CHANNELS, LATENT_SIZE, SCALING_FACTOR


class Setting(NamedTuple):
    """How to sample."""

    guidance_scale: float  # 1 switches guidance off
    steps: int
    ddim: bool = False  # instead of the default scheduler, PNDM

    def __str__(self) -> str:
        """Write it as the tables show it, for example ``3, 30 steps``."""
        return f"{self.guidance_scale:g}, {self.steps} steps" + (", DDIM" if self.ddim else "")


# The documented default; evaluation.json holds the comparison it was chosen from.
RECOMMENDED: Final = Setting(guidance_scale=3.0, steps=30)


@torch.no_grad()
def sample_pictures(
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    prompts: list[str],
    seed: int,
    setting: Setting = RECOMMENDED,
) -> torch.Tensor:
    """Sample one picture for each prompt with the default scheduler.

    Args:
        vae: Decoder.
        unet: Noise predictor.
        text_encoder: Prompt encoder.
        tokenizer: Prompt tokenizer.
        prompts: B prompts.
        seed: Seed of the starting noise; picture i starts from the same noise for any guidance.
        setting: Scale, steps and sampler.

    Returns:
        pixel_values (B, 3, 64, 64) in [-1, 1] on the CPU.
    """
    scheduler = ddim_scheduler() if setting.ddim else sampling_scheduler()
    scheduler.set_timesteps(setting.steps)
    ids = tokenizer(
        ["", *prompts], padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    hidden = text_encoder(ids.to(unet.device)).last_hidden_state  # (1 + B, S, D)
    empty, asked = hidden[:1].expand(len(prompts), -1, -1), hidden[1:]
    generator = torch.Generator().manual_seed(seed)
    shape = (len(prompts), LATENT_CHANNELS, LATENT_SIZE, LATENT_SIZE)
    latents = torch.randn(shape, generator=generator).to(unet.device)  # (B, 4, 8, 8)
    for timestep in scheduler.timesteps:
        if setting.guidance_scale == 1.0:
            noise_pred = unet(latents, timestep, asked).sample
        else:
            both = unet(torch.cat([latents] * 2), timestep, torch.cat([empty, asked])).sample
            without, towards = both.chunk(2)  # (B, 4, 8, 8) each
            noise_pred = without + setting.guidance_scale * (towards - without)
        latents = scheduler.step(noise_pred, timestep, latents).prev_sample
    decoded = [vae.decode(part / SCALING_FACTOR).sample for part in torch.split(latents, 32)]
    return torch.cat(decoded).clamp(-1, 1).cpu()
