"""Draw pictures with the trained LoRA."""

import torch

from harness import hookimpl


# The shortest way to a picture, for your own scripts; the hub calls `generate` below.
def generate_image(prompt, pipeline, num_inference_steps=50):
    with torch.no_grad():
        return pipeline(prompt, num_inference_steps=num_inference_steps).images[0]


def set_lora_scale(adapter, lora_scale):
    # `adapter` may come from somebody else's make_lora: what counts is that it can be scaled.
    layers = [layer for layer in adapter.modules() if hasattr(layer, "lora_scale")]
    if not layers and lora_scale != 1:
        raise ValueError("No layer of this adapter has an attribute lora_scale; leave it at 1.")
    for layer in layers:
        layer.lora_scale = lora_scale


@hookimpl
def generate(pipeline, adapter, prompts, config):
    if config.scheduler is not None:
        raise ValueError("Example1 draws with the base's own sampler only; leave scheduler out.")
    if not prompts:
        return []
    pipeline.unet.eval()
    pipeline.set_progress_bar_config(disable=True)
    shape = (pipeline.unet.config.in_channels, config.height // 8, config.width // 8)
    # A seed of its own for each picture, so that it does not depend on the others.
    seeds = [config.seed + i for i in range(len(prompts))]
    noise = [torch.randn(shape, generator=torch.Generator("cpu").manual_seed(s)) for s in seeds]

    set_lora_scale(adapter, config.lora_scale)
    with torch.inference_mode():
        result = pipeline(
            list(prompts),
            negative_prompt=[config.negative_prompt] * len(prompts),
            num_inference_steps=config.num_inference_steps,
            guidance_scale=config.guidance_scale,
            height=config.height,
            width=config.width,
            latents=torch.stack(noise).to(pipeline.device),  # (pictures, 4, H/8, W/8)
        )
    set_lora_scale(adapter, 1.0)
    return result.images
