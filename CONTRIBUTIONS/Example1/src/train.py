"""Training: put noise on the pictures, let the U-Net predict it, improve the LoRA a little.

Shapes in comments: N pictures, B batch, 77 tokens, D numbers per token, H and W pixels.
"""

import torch
from diffusers import DDPMScheduler
from torch import nn
from torch.nn import functional as F

from harness import TrainResult, hookimpl


@hookimpl
def train(pipeline, dataset, adapter, config, reporter):
    unet, vae, text_encoder = pipeline.unet, pipeline.vae, pipeline.text_encoder
    device = pipeline.device
    # The same amounts of noise that Stable Diffusion was trained with.
    noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    # A list, because clip_grad_norm_ goes through it in each step.
    parameters = [p for p in adapter.parameters() if p.requires_grad]
    # Its learning rate is set in each step.
    optimizer = torch.optim.AdamW(parameters, weight_decay=config.weight_decay)
    # All randomness comes from here: the same seed gives the same training.
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
    ).input_ids.to(device)  # (N + 1, 77)

    unet.train()
    losses = []
    order = []
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
        encoder_hidden_states = text_encoder(input_ids[caption_rows])[0]  # (B, 77, D)
        noise_pred = unet(noisy_latents, timesteps, encoder_hidden_states).sample
        loss = F.mse_loss(noise_pred, noise)

        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, config.max_grad_norm, error_if_nonfinite=True)
        for group in optimizer.param_groups:
            # Rises during the warm-up, then stays.
            group["lr"] = config.learning_rate * min(1.0, step / max(1, config.lr_warmup_steps))
        optimizer.step()

        losses.append(loss.item())
        reporter.step(step, losses[-1])
    unet.eval()
    return TrainResult(losses=tuple(losses))
