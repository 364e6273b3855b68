"""Sampling with classifier-free guidance, for previews and for the evaluation."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    PNDMScheduler,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from transformers import CLIPTextModel, CLIPTokenizer

from .models import sampling_scheduler
from .settings import SCALING_FACTOR

DEFAULT_SAMPLER: Final = "PNDM"
# The samplers people take, each made from the default scheduler's config as its documentation says.
SAMPLERS: Final[dict[str, Any]] = {
    DEFAULT_SAMPLER: PNDMScheduler,
    "DDIM": DDIMScheduler,
    "Euler a": EulerAncestralDiscreteScheduler,
    "DPM++ 2M": DPMSolverMultistepScheduler,
    "UniPC": UniPCMultistepScheduler,
}


class Setting(NamedTuple):
    """How to sample."""

    guidance_scale: float  # 1 switches guidance off
    steps: int
    sampler: str = DEFAULT_SAMPLER  # key of SAMPLERS

    def __str__(self) -> str:
        """Write it as the tables show it, for example ``3, 30 steps``."""
        other = "" if self.sampler == DEFAULT_SAMPLER else f", {self.sampler}"
        return f"{self.guidance_scale:g}, {self.steps} steps{other}"


# The documented default; evaluation.json holds the comparison it was chosen from.
RECOMMENDED: Final = Setting(guidance_scale=3.0, steps=30)
# What `pipeline(prompt)` does when nothing is said.
UNTOLD: Final = Setting(guidance_scale=7.5, steps=50)


def build_sampler(name: str) -> Any:
    """Build a sampler of `SAMPLERS` as a user makes it from the shipped config."""
    return SAMPLERS[name].from_config({**sampling_scheduler().config, "clip_sample": False})


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
    """Sample one picture for each prompt.

    Args:
        vae: Decoder.
        unet: Noise predictor.
        text_encoder: Prompt encoder.
        tokenizer: Prompt tokenizer.
        prompts: B prompts.
        seed: Seed of the starting noise; picture i starts from the same noise for any guidance.
        setting: Scale, steps and sampler.

    Returns:
        pixel_values (B, 3, H, W) in [-1, 1] on the CPU.
    """
    scheduler = build_sampler(setting.sampler)
    scheduler.set_timesteps(setting.steps)
    ids = tokenizer(
        ["", *prompts], padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    hidden = text_encoder(ids.to(unet.device)).last_hidden_state  # (1 + B, S, D)
    empty, asked = hidden[:1].expand(len(prompts), -1, -1), hidden[1:]
    generator = torch.Generator().manual_seed(seed)
    side = unet.config.sample_size
    shape = (len(prompts), unet.config.in_channels, side, side)
    latents = torch.randn(shape, generator=generator).to(unet.device)  # (B, C, h, w)
    latents = latents * scheduler.init_noise_sigma
    # Only samplers that add noise on the way take a generator.
    noise = {"generator": generator} if setting.sampler == "Euler a" else {}
    for timestep in scheduler.timesteps:
        inputs = scheduler.scale_model_input(latents, timestep)  # (B, C, h, w)
        if setting.guidance_scale == 1.0:
            noise_pred = unet(inputs, timestep, asked).sample
        else:
            both = unet(torch.cat([inputs] * 2), timestep, torch.cat([empty, asked])).sample
            without, towards = both.chunk(2)  # (B, C, h, w) each
            noise_pred = without + setting.guidance_scale * (towards - without)
        latents = scheduler.step(noise_pred, timestep, latents, **noise).prev_sample
    decoded = [vae.decode(part / SCALING_FACTOR).sample for part in torch.split(latents, 32)]
    return torch.cat(decoded).clamp(-1, 1).cpu()
