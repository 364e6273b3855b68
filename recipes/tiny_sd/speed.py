"""How long the shipped model takes on this machine."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig

from toolkit.base_models.load import load_pipeline

from .models import training_scheduler
from .sampling import RECOMMENDED
from .unet import noise_loss
from .vae import device_of_choice

REPEATS = 5
TIMED_STEPS = 20


def _seconds(work: Callable[[], object]) -> float:
    """Return the median time of `work` after a warm-up; others may use the machine too."""
    work()
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return median(taken)


def measure_speed(folder: Path) -> dict[str, Any]:
    """Time sampling and one LoRA training step.

    Args:
        folder: The model.

    Returns:
        Seconds, and what machine they were measured on.
    """
    pipeline = load_pipeline(folder).to(device_of_choice())
    prompts = ["a red apple on a blue background"] * 8

    def sample() -> object:
        return pipeline(
            prompts, num_inference_steps=TIMED_STEPS, guidance_scale=RECOMMENDED.guidance_scale
        )

    sampling_s = _seconds(sample)
    return {
        "sample_8_pictures_s": sampling_s,
        "lora_rank_4_batch_8_step_s": _seconds(lora_step(pipeline)),
        "threads": torch.get_num_threads(),
        "device": pipeline.device.type,
        "machine": platform.machine(),
    }


def lora_step(pipeline: StableDiffusionPipeline) -> Callable[[], object]:
    """Build one whole fine-tuning step: encode, noise, predict, update."""
    for module in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        module.requires_grad_(False)
    targets = ["to_q", "to_k", "to_v", "to_out.0"]
    pipeline.unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=targets))
    trained = [value for value in pipeline.unet.parameters() if value.requires_grad]
    optimizer, scheduler = torch.optim.AdamW(trained, lr=1e-4), training_scheduler()
    steps_total = scheduler.config.num_train_timesteps
    pixel_values = torch.rand(8, 3, 64, 64, device=pipeline.device) * 2 - 1  # (B, 3, H, W)
    weights = torch.ones(steps_total, device=pipeline.device)  # (T,)
    ids = pipeline.tokenizer(
        ["a sks robot"] * 8, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids.to(pipeline.device)  # (B, S)

    def step() -> None:
        with torch.no_grad():
            latents = pipeline.vae.encode(pixel_values).latent_dist.sample()  # (B, C, h, w)
            latents = latents * pipeline.vae.config.scaling_factor
            hidden = pipeline.text_encoder(ids).last_hidden_state  # (B, S, D)
        timesteps = torch.randint(0, steps_total, (8,), device=pipeline.device)
        loss = noise_loss(pipeline.unet, scheduler, latents, hidden, timesteps, weights)
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step
