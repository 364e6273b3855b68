"""Draw pictures: noise in, `num_inference_steps` times the U-Net, picture out.

    python -m src.generate --lora robot.safetensors:0.8 --prompt "a sks robot on a beach"

Shapes in comments: n pictures, h w rows and columns of the latents (an eighth of the pixels).
"""

from __future__ import annotations

if __name__ == "__main__":
    from .draw import main  # the command line; it imports torch only after reading its options

    raise SystemExit(main())

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import diffusers
import torch
from torch import Tensor, nn

from harness import hookimpl

from .strength import scaled

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image

    from toolkit.core.settings import GenerateConfig

# Pictures drawn at once: twice as fast as one by one, and memory grows with it.
BATCH_SIZE = 4

SCHEDULERS = {
    "pndm": diffusers.PNDMScheduler,
    "ddim": diffusers.DDIMScheduler,
    "euler": diffusers.EulerDiscreteScheduler,
    "euler_a": diffusers.EulerAncestralDiscreteScheduler,
    "dpm++_2m": diffusers.DPMSolverMultistepScheduler,
    "lms": diffusers.LMSDiscreteScheduler,
    "heun": diffusers.HeunDiscreteScheduler,
    "unipc": diffusers.UniPCMultistepScheduler,
}


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
        config: Steps, guidance, sampler, size in pixels, seed and strength of the adapter.

    Returns:
        RGB pictures in the order of the prompts.
    """
    pictures: list[Image] = []
    with torch.inference_mode(), sampling(pipeline, config), scaled(adapter, config.lora_scale):
        for first in range(0, len(prompts), BATCH_SIZE):
            batch = list(prompts[first : first + BATCH_SIZE])
            # On the CPU a seed means the same noise for every device; and a generator for each
            # picture means that none depends on how many are drawn beside it.
            seeds = range(config.seed + first, config.seed + first + len(batch))
            generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
            pictures += pipeline(
                prompt=batch,
                negative_prompt=[config.negative_prompt] * len(batch),
                num_inference_steps=config.num_inference_steps,
                guidance_scale=config.guidance_scale,
                height=config.height,
                width=config.width,
                latents=starting_noise(pipeline, generators, config),  # (n, 4, h, w)
                generator=generators,  # for the samplers that add noise on their way
            ).images
    return pictures


def starting_noise(
    pipeline: StableDiffusionPipeline, generators: list[torch.Generator], config: GenerateConfig
) -> Tensor:
    """Return standard normal noise (n, 4, h, w), each picture's from its own generator."""
    factor = pipeline.vae_scale_factor  # 8 pixels per latent
    channels = pipeline.unet.config.in_channels
    shape = (channels, config.height // factor, config.width // factor)  # (4, h, w)
    noise = torch.stack([torch.randn(shape, generator=g) for g in generators])  # (n, 4, h, w)
    return noise.to(pipeline.device, pipeline.unet.dtype)


@contextmanager
def sampling(pipeline: StableDiffusionPipeline, config: GenerateConfig) -> Iterator[None]:
    """Take the sampler asked for, switch dropout and progress bar off; all back afterwards."""
    modules = [pipeline.unet, pipeline.vae, pipeline.text_encoder]
    were_training = [module.training for module in modules]
    bar = getattr(pipeline, "_progress_bar_config", {})
    own_scheduler = pipeline.scheduler
    pipeline.set_progress_bar_config(**{**bar, "disable": True})
    if config.scheduler is not None:
        # The base's betas and what it predicts stay. clip_sample said aloud: a base that does not
        # mention it would get DDIM's default, which cuts latents off at 1.
        settings = {**own_scheduler.config, "clip_sample": False}
        settings.pop("_use_default_values", None)  # its list of what to forget
        pipeline.scheduler = SCHEDULERS[config.scheduler].from_config(settings)
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for module, was_training in zip(modules, were_training, strict=True):
            module.train(was_training)
        pipeline.scheduler = own_scheduler
        pipeline.set_progress_bar_config(**bar)
