"""Masked loss: errors count in full on the thing and little on its background.

    loss = mean of  m * (noise_pred - noise)^2  /  mean of m
    m = OUTSIDE + (1 - OUTSIDE) * mask        called `weight` below; the mask is 1 on the thing

After the option of that name in sd-scripts (the README has the link).
"""

import torch
from diffusers import DDPMScheduler
from torch import nn
from torch.nn import functional as F

from harness import TrainResult, hookimpl

OUTSIDE = 0.1  # weight of the background; at 0 the model would forget how to draw any
TOLERANCE = 0.2  # a colour as near as this to the border's is background; pixels go from -1 to 1


def unlike_border(pixels):
    """Return 1.0 where a picture (3, H, W) differs from the colour of its border, (H, W)."""
    edges = [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
    colour = torch.cat(edges, dim=1).median(dim=1).values  # (3,)
    return ((pixels - colour[:, None, None]).abs().amax(dim=0) > TOLERANCE).float()


def masks_of(dataset, items):
    """Return the mask of each picture, (N, 1, H, W): its alpha channel, or what the border says."""
    # Somebody else's dataset knows no alpha.
    alpha_of = getattr(dataset, "alpha_of", lambda index: None)
    masks = []
    for index, (pixels, _) in enumerate(items):
        alpha = alpha_of(index)
        masks.append(unlike_border(pixels) if alpha is None else alpha)
    return torch.stack(masks).unsqueeze(1)


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
    # One latent is made of 8 x 8 pixels.
    masks = F.adaptive_avg_pool2d(masks_of(dataset, items), posterior.mean.shape[-2:])
    weights = (OUTSIDE + (1 - OUTSIDE) * masks).to(device)  # (N, 1, H/8, W/8)
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
        noise = torch.randn(latents.shape, generator=random).to(device)  # (B, 4, H/8, W/8)
        steps_of_noise = noise_scheduler.config.num_train_timesteps
        timesteps = torch.randint(steps_of_noise, (len(rows),), generator=random).to(device)

        noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)
        encoder_hidden_states = text_encoder(input_ids[caption_rows])[0]  # (B, S, D)
        noise_pred = unet(noisy_latents, timesteps, encoder_hidden_states).sample
        weight = weights[rows].expand_as(noise)  # (B, 4, H/8, W/8)
        loss = (weight * (noise_pred - noise) ** 2).sum() / weight.sum()

        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, config.max_grad_norm, error_if_nonfinite=True)
        optimizer.step()
        losses.append(loss.item())
        reporter.step(step, losses[-1])
    unet.eval()
    return TrainResult(losses=tuple(losses))
