"""Prior preservation by prediction: for the plain class the answer to learn is the base's own.

    |noise_pred - noise|^2               with the caption
    |noise_pred - the base's answer|^2   with the class, for a SHARE of the samples

The base is the model with the adapter's strength at 0: no picture of the class is drawn or needed.
After Ruiz et al. 2023, "DreamBooth", arXiv:2208.12242, and Li & Hoiem 2016, arXiv:1606.09282.
"""

import torch
from diffusers import DDPMScheduler
from torch import nn
from torch.nn import functional as F

from harness import TrainResult, hookimpl

RARE = "sks"  # the word that the class does without
SHARE = 0.25  # of the samples teach the class


def class_of(caption):
    """Return the caption without the rare word; one that does not hold it gives the empty one."""
    words = caption.split()
    return " ".join(word for word in words if word != RARE) if RARE in words else ""


@torch.no_grad()
def base_answer(pipeline, layers, noisy_latents, timesteps, input_ids):
    """Return what the base predicts, (B, 4, H/8, W/8): with every layer's strength at 0.

    Captions are encoded in here, so that an adapter in the text encoder is switched off, too.
    """
    for layer in layers:
        layer.lora_scale = 0.0
    encoder_hidden_states = pipeline.text_encoder(input_ids)[0]  # (B, S, D)
    answer = pipeline.unet(noisy_latents, timesteps, encoder_hidden_states).sample
    for layer in layers:
        layer.lora_scale = 1.0
    return answer


@hookimpl
def train(pipeline, dataset, adapter, config, reporter):
    unet, vae, text_encoder = pipeline.unet, pipeline.vae, pipeline.text_encoder
    device = pipeline.device
    noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    parameters = [p for p in adapter.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    layers = [layer for layer in adapter.modules() if hasattr(layer, "lora_scale")]
    if not layers:
        raise ValueError("No layer of this adapter has `lora_scale`: it cannot be switched off.")
    random = torch.Generator("cpu").manual_seed(config.seed)

    # The VAE does not change, so each picture passes it once, before the loop.
    items = [dataset[i] for i in range(len(dataset))]
    if len({pixels.shape for pixels, _ in items}) > 1:
        raise ValueError("This training wants pictures of one size: leave buckets out.")
    pixel_values = torch.stack([pixels for pixels, _ in items])  # (N, 3, H, W)
    with torch.no_grad():
        posterior = vae.encode(pixel_values.to(device)).latent_dist  # a mean and a std per latent
    captions = [caption for _, caption in items] + [""]  # the empty one is number N
    captions += [class_of(caption) for _, caption in items]  # numbers N + 1 and on
    input_ids = pipeline.tokenizer(
        captions, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids.to(device)  # (2 N + 1, S)

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
        keeps = torch.rand(len(rows), generator=random) < SHARE  # (B,), which teach the class
        caption_rows = torch.where(keeps, len(items) + 1 + rows, caption_rows)

        mean, std = posterior.mean[rows], posterior.std[rows]  # (B, 4, H/8, W/8)
        latents = mean + std * torch.randn(mean.shape, generator=random).to(device)
        latents = latents * vae.config.scaling_factor  # the U-Net knows latents of std 1
        noise = torch.randn(latents.shape, generator=random).to(device)  # (B, 4, H/8, W/8)
        steps_of_noise = noise_scheduler.config.num_train_timesteps
        timesteps = torch.randint(steps_of_noise, (len(rows),), generator=random).to(device)

        noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)
        encoder_hidden_states = text_encoder(input_ids[caption_rows])[0]  # (B, S, D)
        noise_pred = unet(noisy_latents, timesteps, encoder_hidden_states).sample
        target = noise
        if keeps.any():
            inputs = (noisy_latents[keeps], timesteps[keeps], input_ids[caption_rows[keeps]])
            target = noise.clone()  # (B, 4, H/8, W/8)
            target[keeps] = base_answer(pipeline, layers, *inputs)
        loss = F.mse_loss(noise_pred, target)

        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, config.max_grad_norm, error_if_nonfinite=True)
        optimizer.step()
        losses.append(loss.item())
        reporter.step(step, losses[-1])
    unet.eval()
    return TrainResult(losses=tuple(losses))
