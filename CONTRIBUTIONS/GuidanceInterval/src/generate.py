"""Guidance in a limited interval of noise levels, as everywhere else none is needed.

    noise = unconditional + w * (conditional - unconditional)      while LOW < sigma <= HIGH

Kynkaanniemi et al. 2024, "Applying Guidance in a Limited Interval", arXiv:2404.07724.
"""

import torch

from harness import hookimpl

# Noise levels sigma = sqrt((1 - alpha_bar) / alpha_bar). SD goes from 14.6 down to 0.03.
LOW, HIGH = 0.3, 5.0


def set_lora_scale(adapter, lora_scale):
    # `adapter` may come from somebody else's make_lora: what counts is that it can be scaled.
    layers = [layer for layer in adapter.modules() if hasattr(layer, "lora_scale")]
    if not layers and lora_scale != 1:
        raise ValueError("No layer of this adapter has an attribute lora_scale; leave it at 1.")
    for layer in layers:
        layer.lora_scale = lora_scale


def encode(pipeline, texts):
    """Return what the U-Net sees of the texts, (n, S, D)."""
    tokenizer = pipeline.tokenizer
    tokens = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
    return pipeline.text_encoder(tokens.input_ids.to(pipeline.device))[0]


def draw(pipeline, prompt, seed, config):
    """Return the latents (1, 4, h, w) of one picture."""
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(config.num_inference_steps, device=pipeline.device)
    states = encode(pipeline, [config.negative_prompt, prompt])  # (2, S, D)
    shape = (1, pipeline.unet.config.in_channels, config.height // 8, config.width // 8)
    latents = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))
    latents = latents.to(pipeline.device) * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        alpha_bar = scheduler.alphas_cumprod[int(t)]
        guided = LOW < ((1 - alpha_bar) / alpha_bar) ** 0.5 <= HIGH
        inputs = scheduler.scale_model_input(latents, t)
        if guided and config.guidance_scale != 1:
            both = pipeline.unet(torch.cat([inputs, inputs]), t, states).sample  # (2, 4, h, w)
            without, noise_pred = both[:1], both[1:]
            noise_pred = without + config.guidance_scale * (noise_pred - without)
        else:
            noise_pred = pipeline.unet(inputs, t, states[1:]).sample  # (1, 4, h, w)
        latents = scheduler.step(noise_pred, t, latents).prev_sample
    return latents


@hookimpl
def generate(pipeline, adapter, prompts, config):
    if config.scheduler is not None:
        raise ValueError("This draws with the base's own sampler only; leave scheduler out.")
    pipeline.unet.eval()
    pictures = []
    set_lora_scale(adapter, config.lora_scale)
    with torch.inference_mode():
        for number, prompt in enumerate(prompts):
            latents = draw(pipeline, prompt, config.seed + number, config)
            pixels = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
            pictures += pipeline.image_processor.postprocess(pixels, output_type="pil")
    set_lora_scale(adapter, 1.0)
    return pictures
