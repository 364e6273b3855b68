"""Pyramid noise: noise of half, a quarter, an eighth of the size is added to the white noise.

    noise = (e_0 + DISCOUNT e_1 + DISCOUNT^2 e_2 + ...) / its standard deviation

Whitaker 2023, "Multi-Resolution Noise for Diffusion Model Training" (the README has the link).
"""

import torch
from diffusers import DDPMScheduler
from torch import nn
from torch.nn import functional as F

from harness import TrainResult, hookimpl

DISCOUNT = 0.4  # how much weaker each coarser level is


def pyramid_noise(shape, random):
    """Return noise (B, 4, h, w) of variance 1 per number, neighbours alike."""
    noise, variance = torch.randn(shape, generator=random), 1.0
    size, strength = shape[-2:], 1.0
    while min(size) > 1:
        size, strength = tuple(side // 2 for side in size), strength * DISCOUNT
        coarse = torch.randn((*shape[:2], *size), generator=random)  # (B, 4, h / 2^k, w / 2^k)
        # "nearest" keeps the variance of each number at 1, so the sum's is known.
        noise = noise + strength * F.interpolate(coarse, shape[-2:], mode="nearest")
        variance += strength**2
    return noise / variance**0.5


@hookimpl
def train(pipeline, dataset, adapter, config, reporter):
    unet, vae, text_encoder = pipeline.unet, pipeline.vae, pipeline.text_encoder
    device = pipeline.device
    noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    parameters = [p for p in adapter.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    random = torch.Generator("cpu").manual_seed(config.seed)

    # The VAE does not change, so each picture passes it once, before the loop.
    items = [dataset[i] for i in range(len(dataset))]
    if len({pixels.shape for pixels, _ in items}) > 1:
        raise ValueError("This training wants pictures of one size: leave buckets out.")
    pixel_values = torch.stack([pixels for pixels, _ in items])  # (N, 3, H, W)
    with torch.no_grad():
        posterior = vae.encode(pixel_values.to(device)).latent_dist  # a mean and a std per latent
    captions = [caption for _, caption in items] + [""]  # the empty one is number N
    input_ids = pipeline.tokenizer(
        captions, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids.to(device)  # (N + 1, S)

    unet.train()
    losses, order = [], []
    for step in range(1, config.steps + 1):
        # Every picture once, in random order, before any comes again.
        while len(order) < config.batch_size:
            order += torch.randperm(len(items), generator=random).tolist()
        rows = torch.tensor(order[: config.batch_size])  # (B,)
        order = order[config.batch_size :]
        # Now and then the caption is left out: guidance needs a model that can draw without one.
        left_out = torch.rand(len(rows), generator=random) < config.caption_dropout
        caption_rows = rows.masked_fill(left_out, len(items))  # (B,)

        mean, std = posterior.mean[rows], posterior.std[rows]  # (B, 4, H/8, W/8)
        latents = mean + std * torch.randn(mean.shape, generator=random).to(device)
        latents = latents * vae.config.scaling_factor  # the U-Net knows latents of std 1
        noise = pyramid_noise(latents.shape, random).to(device)  # (B, 4, H/8, W/8)
        steps_of_noise = noise_scheduler.config.num_train_timesteps
        timesteps = torch.randint(steps_of_noise, (len(rows),), generator=random).to(device)

        noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)
        encoder_hidden_states = text_encoder(input_ids[caption_rows])[0]  # (B, S, D)
        noise_pred = unet(noisy_latents, timesteps, encoder_hidden_states).sample
        loss = F.mse_loss(noise_pred, noise)

        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, config.max_grad_norm, error_if_nonfinite=True)
        optimizer.step()
        losses.append(loss.item())
        reporter.step(step, losses[-1])
    unet.eval()
    return TrainResult(losses=tuple(losses))
