"""Draw pictures: noise in, `num_inference_steps` times the U-Net, picture out.

    python -m src.generate --lora robot.safetensors:0.8 --prompt "a sks robot on a beach"

Shapes in comments: n pictures, h w rows and columns of the latents (an eighth of the pixels).
"""

from __future__ import annotations

if not __package__:
    raise SystemExit("Run from the repository root: python -m src.generate")

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from toolkit.drawings import cli

if __name__ == "__main__":
    cli.parse_options()  # The imports below load torch, which takes seconds.

import torch
from torch import Tensor, nn

from harness import hookimpl
from toolkit.drawings.sampling import sampling

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline
    from PIL.Image import Image

    from toolkit.core.settings import GenerateConfig

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
        config: Steps, guidance, sampler, size in pixels, seed and strength of the adapter.

    Returns:
        RGB pictures in the order of the prompts.
    """
    pictures: list[Image] = []
    # `sampling`: the sampler asked for, no dropout, no progress bar; all as before afterwards.
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
def scaled(adapter: nn.Module, lora_scale: float) -> Iterator[None]:
    """Let an adapter act with another strength inside the block, then with its own again.

    It works on any adapter whose layers have an attribute ``lora_scale``, whichever ``make_lora``
    built it.

    Args:
        adapter: What ``make_lora`` returned.
        lora_scale: 1 as trained, 0 exactly the base, in between a mixture.

    Raises:
        ValueError: The adapter cannot be scaled, and another strength than 1 is asked for.
    """
    layers: list[Any] = [module for module in adapter.modules() if hasattr(module, "lora_scale")]
    if not layers and lora_scale != 1:
        raise ValueError(
            f"lora_scale is {lora_scale}, but no layer of this adapter has an attribute "
            "`lora_scale`. Multiply by it in the layer's forward, or leave lora_scale at 1."
        )
    before = [layer.lora_scale for layer in layers]
    for layer in layers:
        layer.lora_scale = lora_scale
    try:
        yield
    finally:
        for layer, own_scale in zip(layers, before, strict=True):
            layer.lora_scale = own_scale


if __name__ == "__main__":
    raise SystemExit(cli.main(generate, BATCH_SIZE))
