"""The trusted sampler: the same prompts, noise, steps and guidance for every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from harness.protocol.track_file import Sampling


@torch.no_grad()
def sample_latents(
    pipeline: StableDiffusionPipeline, texts: tuple[str, ...], sampling: Sampling, side_px: int
) -> Tensor:
    """Draw one picture per text, as latents (n, 4, h, w) of the pipeline's own scale.

    Picture i starts from seed + i, whatever is drawn beside it.
    """
    parts = []
    for start in range(0, len(texts), sampling.batch_size):
        batch = list(texts[start : start + sampling.batch_size])
        generators = [
            torch.Generator().manual_seed(sampling.seed + start + number)
            for number in range(len(batch))
        ]
        parts.append(
            pipeline(
                batch,
                negative_prompt=[""] * len(batch),
                num_inference_steps=sampling.num_inference_steps,
                guidance_scale=sampling.guidance_scale,
                height=side_px,
                width=side_px,
                generator=generators,
                output_type="latent",
            ).images
        )
    return torch.cat(parts)


@torch.no_grad()
def decode(pipeline: StableDiffusionPipeline, latents: Tensor, batch: int) -> list[Image.Image]:
    """Turn latents (n, 4, h, w) into RGB pictures."""
    pictures = []
    for part in torch.split(latents / float(pipeline.vae.config.scaling_factor), batch):
        values = pipeline.vae.decode(part).sample.float().clamp(-1, 1)  # (b, 3, H, W)
        levels = ((values + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        pictures += [Image.fromarray(np.ascontiguousarray(one)) for one in levels]
    return pictures


def to_pixel_values(pictures: list[Image.Image]) -> Tensor:
    """Stack RGB pictures of one size as (n, 3, H, W) float32 in [-1, 1]."""
    stacked = np.stack([np.asarray(picture.convert("RGB")) for picture in pictures])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
