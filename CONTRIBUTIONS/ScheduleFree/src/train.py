"""Schedule-free AdamW: the gradient is taken between the newest weights and their average.

    y = (1 - BETA) z + BETA x                 where the gradient g is taken
    z <- z - lr * g / (sqrt(mean of g^2) + EPS)      Adam's step without its momentum
    x <- (1 - c) x + c z                      c = lr^2 / (sum of lr^2 so far)

With a constant lr, c is 1/t and x the mean of all z; steps of the warm-up count less. Weight decay
is subtracted from z, too. The model holds y while it trains, and x in the end.
Defazio et al. 2024, "The Road Less Scheduled", arXiv:2405.15682, algorithm 1.
"""

import torch
from diffusers import DDPMScheduler
from torch import nn
from torch.nn import functional as F

from harness import TrainResult, hookimpl

BETA, BETA_2, EPS = 0.9, 0.999, 1e-8
WARMUP = 10  # steps; short, for a short training


class ScheduleFreeAdamW:
    """The three lines above, for a list of parameters."""

    def __init__(self, parameters, learning_rate, weight_decay):
        self.parameters, self.learning_rate = parameters, learning_rate
        self.weight_decay, self.steps, self.squared_rates = weight_decay, 0, 0.0
        self.z = [p.detach().clone() for p in parameters]
        self.x = [p.detach().clone() for p in parameters]
        self.squares = [torch.zeros_like(p) for p in parameters]  # mean of gradient ** 2

    @torch.no_grad()
    def step(self):
        self.steps += 1
        lr = self.learning_rate * min(1.0, self.steps / WARMUP)
        self.squared_rates += lr**2
        share = lr**2 / self.squared_rates  # c
        for y, z, x, square in zip(self.parameters, self.z, self.x, self.squares, strict=True):
            if y.grad is None:
                continue
            square.mul_(BETA_2).addcmul_(y.grad, y.grad, value=1 - BETA_2)
            size = (square / (1 - BETA_2**self.steps)).sqrt() + EPS
            z.sub_(lr * (y.grad / size + self.weight_decay * y))
            x.lerp_(z, share)
            y.copy_(torch.lerp(z, x, BETA))

    @torch.no_grad()
    def finish(self):
        """Put the average in the place of the weights that were trained at."""
        for y, x in zip(self.parameters, self.x, strict=True):
            y.copy_(x)


@hookimpl
def train(pipeline, dataset, adapter, config, reporter):
    unet, vae, text_encoder = pipeline.unet, pipeline.vae, pipeline.text_encoder
    device = pipeline.device
    noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
    parameters = [p for p in adapter.parameters() if p.requires_grad]
    optimizer = ScheduleFreeAdamW(parameters, config.learning_rate, config.weight_decay)
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
        noise = torch.randn(latents.shape, generator=random).to(device)  # (B, 4, H/8, W/8)
        steps_of_noise = noise_scheduler.config.num_train_timesteps
        timesteps = torch.randint(steps_of_noise, (len(rows),), generator=random).to(device)

        noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)
        encoder_hidden_states = text_encoder(input_ids[caption_rows])[0]  # (B, S, D)
        noise_pred = unet(noisy_latents, timesteps, encoder_hidden_states).sample
        loss = F.mse_loss(noise_pred, noise)

        adapter.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, config.max_grad_norm, error_if_nonfinite=True)
        optimizer.step()
        losses.append(loss.item())
        reporter.step(step, losses[-1])
    optimizer.finish()
    unet.eval()
    return TrainResult(losses=tuple(losses))
