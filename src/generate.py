"""Draw pictures: noise in, `num_inference_steps` times the U-Net, picture out.

Shapes in comments: n pictures, h w rows and columns of the latents (an eighth of the pixels).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness import hookimpl

from .strength import scaled

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image

    from harness.records import GenerateConfig

# Pictures drawn at once: twice as fast as one by one, and memory grows with it.
BATCH_SIZE = 4


def generate_image(
    prompt: str, pipeline: StableDiffusionPipeline, num_inference_steps: int = 50
) -> Image:
    """Draw one picture with the pipeline as it is.

    Args:
        prompt: What to draw.
        pipeline: With or without a LoRA attached.
        num_inference_steps: Denoising steps; more are slower and a little better.
    """
    with torch.no_grad():
        picture: Image = pipeline(prompt, num_inference_steps=num_inference_steps).images[0]
    return picture


@hookimpl
def generate(
    pipeline: StableDiffusionPipeline,
    adapter: nn.Module,
    prompts: Sequence[str],
    config: GenerateConfig,
) -> list[Image]:
    """Draw one picture per prompt; picture i starts from the noise of seed ``config.seed + i``.

    Args:
        pipeline: The base model with the adapter attached.
        adapter: What ``make_lora`` returned.
        prompts: What to draw.
        config: Steps, guidance, size in pixels, seed and strength of the adapter.

    Returns:
        RGB pictures in the order of the prompts.
    """
    noise = starting_noise(pipeline, len(prompts), config)  # (n, 4, h, w)
    pictures: list[Image] = []
    with torch.inference_mode(), sampling(pipeline), scaled(adapter, config.lora_scale):
        for first in range(0, len(prompts), BATCH_SIZE):
            batch = list(prompts[first : first + BATCH_SIZE])
            pictures += pipeline(
                prompt=batch,
                negative_prompt=[config.negative_prompt] * len(batch),
                num_inference_steps=config.num_inference_steps,
                guidance_scale=config.guidance_scale,
                height=config.height,
                width=config.width,
                latents=noise[first : first + BATCH_SIZE],  # (up to BATCH_SIZE, 4, h, w)
            ).images
    return pictures


def starting_noise(pipeline: StableDiffusionPipeline, count: int, config: GenerateConfig) -> Tensor:
    """Return standard normal noise (count, 4, h, w), each picture's from a seed of its own.

    It is drawn on the CPU, so a seed means the same picture on every device, and picture by
    picture, so none depends on how many are drawn beside it.
    """
    factor = pipeline.vae_scale_factor  # 8 pixels per latent
    shape = (
        pipeline.unet.config.in_channels,
        config.height // factor,
        config.width // factor,
    )  # (4, h, w)
    seeds = range(config.seed, config.seed + count)
    noise = [torch.randn(shape, generator=torch.Generator("cpu").manual_seed(s)) for s in seeds]
    stacked = torch.stack(noise) if noise else torch.empty(0, *shape)  # (n, 4, h, w)
    return stacked.to(pipeline.device, pipeline.unet.dtype)


@contextmanager
def sampling(pipeline: StableDiffusionPipeline) -> Iterator[None]:
    """Switch dropout off and the library's progress bar, and both back afterwards."""
    modules = [pipeline.unet, pipeline.vae, pipeline.text_encoder]
    were_training = [module.training for module in modules]
    bar = getattr(pipeline, "_progress_bar_config", {})
    pipeline.set_progress_bar_config(**{**bar, "disable": True})
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, was_training in zip(modules, were_training, strict=True):
            module.train(was_training)
        pipeline.set_progress_bar_config(**bar)
