"""DPM-Solver++(2M): each step extrapolates from the last two answers of the U-Net.

    D = x0 + (x0 - x0_before) * (step now / step before) / 2
    y <- (s'/s) y + (1 - s'/s) D

x0 is the clean picture as the U-Net sees it now, y = latents / sqrt(alpha_bar) = picture + s noise,
s the noise level sigma, s' the next one, a step log(s / s'). In the first and the last D is x0.
Lu et al. 2022, "DPM-Solver++", arXiv:2211.01095, algorithm 2.
"""

import torch

from harness import hookimpl


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


def noise_levels(scheduler, steps):
    """Return timesteps, the noisiest first, and their sigmas, which end with 0: the picture."""
    last = scheduler.config.num_train_timesteps - 1
    timesteps = torch.linspace(0, last, steps + 1, dtype=torch.float64).round().long().flip(0)[:-1]
    alpha_bar = scheduler.alphas_cumprod[timesteps]
    sigmas = ((1 - alpha_bar) / alpha_bar) ** 0.5
    return timesteps, torch.cat([sigmas, torch.zeros(1)])


def predict_noise(pipeline, latents, t, states, guidance_scale):
    """Return the guided noise (1, 4, h, w); states: of the negative prompt, then the prompt."""
    if guidance_scale == 1:
        return pipeline.unet(latents, t, states[1:]).sample
    without, noise_pred = pipeline.unet(torch.cat([latents, latents]), t, states).sample.chunk(2)
    return without + guidance_scale * (noise_pred - without)


def draw(pipeline, prompt, seed, config):
    """Return the latents (1, 4, h, w) of one picture."""
    states = encode(pipeline, [config.negative_prompt, prompt])  # (2, S, D)
    timesteps, sigmas = noise_levels(pipeline.scheduler, config.num_inference_steps)
    shape = (1, pipeline.unet.config.in_channels, config.height // 8, config.width // 8)
    noise = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))
    # At the noisiest level the latents are taken to be noise alone, as diffusers does.
    y = noise.to(pipeline.device) * (1 + sigmas[0] ** 2) ** 0.5
    x0_before, step_before = None, None
    for t, sigma, after in zip(timesteps, sigmas[:-1], sigmas[1:], strict=True):
        latents = y / (1 + sigma**2) ** 0.5  # the U-Net knows latents of std 1
        noise_pred = predict_noise(pipeline, latents, t, states, config.guidance_scale)
        x0 = y - sigma * noise_pred  # the clean picture, as far as can be told now
        direction, step = x0, torch.log(sigma / after)
        if x0_before is not None and after > 0:  # the first and the last step are of first order
            direction = x0 + (x0 - x0_before) * (step / step_before) / 2
        y = after / sigma * y + (1 - after / sigma) * direction
        x0_before, step_before = x0, step
    return y


@hookimpl
def generate(pipeline, adapter, prompts, config):
    if config.scheduler is not None:
        raise ValueError("This is a sampler itself; leave scheduler out.")
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
