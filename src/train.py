"""Training: add noise to the latents of a picture, let the U-Net predict it, improve the LoRA.

Ho et al. 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239, algorithm 1, in the
latent space of Rombach et al. 2022, arXiv:2112.10752.

Shapes in comments: B batch, N pictures, H W pixels, h w = H/8 W/8, S tokens (77), D text width (768
in SD 1.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from harness import TrainResult, hookimpl

from .draws import draw_step
from .encode import EncodedCaptions, encode_pictures

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    from harness.hookspecs import Reporter
    from harness.records import TrainConfig

MAX_GRAD_NORM = 1.0  # of train_loop, whose signature has no room for it


def diffusion_loss(
    unet: UNet2DConditionModel,
    noise_scheduler: DDPMScheduler,
    latents: Tensor,
    encoder_hidden_states: Tensor,
    noise: Tensor,
    timesteps: Tensor,
) -> Tensor:
    """Return how badly the U-Net predicts the noise: the mean squared error.

    Args:
        unet: Predicts the noise in noisy latents.
        noise_scheduler: Knows how much noise each timestep has.
        latents: Scaled latents of the pictures, (B, 4, h, w), standard deviation about 1.
        encoder_hidden_states: The captions as the text encoder sees them, (B, S, D).
        noise: Standard normal, (B, 4, h, w).
        timesteps: Whole numbers from 0 (hardly any noise) to 999 (hardly anything else), (B,).

    Returns:
        One number, in float32 also when the U-Net runs in half precision.
    """
    # sqrt(alpha_bar_t) * latents + sqrt(1 - alpha_bar_t) * noise
    noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)  # (B, 4, h, w)
    noise_pred = unet(
        noisy_latents, timesteps, encoder_hidden_states=encoder_hidden_states
    ).sample  # (B, 4, h, w)
    target = training_target(noise_scheduler, latents, noise, timesteps)  # (B, 4, h, w)
    return F.mse_loss(noise_pred.float(), target.float())


def training_target(
    noise_scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, timesteps: Tensor
) -> Tensor:
    """Return what the U-Net of this scheduler has to predict, (B, 4, h, w).

    Raises:
        ValueError: The scheduler's prediction type is neither epsilon nor v_prediction.
    """
    prediction_type = noise_scheduler.config.prediction_type
    if prediction_type == "epsilon":  # SD 1.x
        return noise
    if prediction_type == "v_prediction":  # SD 2.x; Salimans & Ho 2022, arXiv:2202.00512
        velocity: Tensor = noise_scheduler.get_velocity(latents, noise, timesteps)
        return velocity
    raise ValueError(
        f"The base predicts {prediction_type!r}; this trainer knows epsilon and v_prediction."
    )


def train_loop(
    dataloader: Iterable[tuple[Tensor, Tensor]],
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    vae: AutoencoderKL,
    noise_scheduler: DDPMScheduler,
    optimizer: torch.optim.Optimizer,
    device: torch.device | str,
    num_epochs: int,
) -> None:
    """Train for some epochs: the shortest loop that is right. ``train`` is the one to use.

    Args:
        dataloader: Batches of ``(pixel_values (B, 3, H, W) in [-1, 1], input_ids (B, S))``.
        unet: With a LoRA attached, everything else frozen.
        text_encoder: Frozen.
        vae: Frozen.
        noise_scheduler: A DDPMScheduler with the base's betas.
        optimizer: Of the LoRA's parameters.
        device: Where the models are.
        num_epochs: How often each picture is seen.

    Raises:
        TypeError: The batches hold captions as text, which a text encoder cannot read.
    """
    # A list: clip_grad_norm_ goes through it again in every step. A generator or `filter` would be
    # empty after the first use, and nothing would be clipped.
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for epoch in range(num_epochs):
        losses = []
        for pixel_values, input_ids in dataloader:
            if not isinstance(input_ids, Tensor):
                raise TypeError(
                    "The batch holds captions as text; the text encoder needs token ids. Give the "
                    "DataLoader collate_fn=functools.partial(collate, tokenizer=tokenizer)."
                )
            with torch.no_grad():
                posterior = vae.encode(pixel_values.to(device)).latent_dist
                latents = posterior.sample() * vae.config.scaling_factor  # (B, 4, h, w)
                encoder_hidden_states = text_encoder(input_ids.to(device))[0]  # (B, S, D)
            noise = torch.randn_like(latents)  # (B, 4, h, w)
            timesteps = torch.randint(
                noise_scheduler.config.num_train_timesteps, (len(latents),), device=device
            )  # (B,)

            optimizer.zero_grad()
            loss = diffusion_loss(
                unet, noise_scheduler, latents, encoder_hidden_states, noise, timesteps
            )
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
            nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
            optimizer.step()
            losses.append(loss.item())
        print(f"Epoch {epoch + 1}/{num_epochs}, Loss: {sum(losses) / len(losses):.4f}")


@hookimpl
def train(
    pipeline: StableDiffusionPipeline,
    dataset: Dataset[tuple[Tensor, str]],
    adapter: nn.Module,
    config: TrainConfig,
    reporter: Reporter,
) -> TrainResult:
    """Train the adapter for ``config.steps`` optimiser steps.

    Args:
        pipeline: The base model with the adapter attached, in float32.
        dataset: Items ``(pixel_values (3, H, W) in [-1, 1], caption)``.
        adapter: Its parameters are trained and nothing else.
        config: Steps, batch size, learning rate, seed and so on.
        reporter: Hears of each finished step.

    Returns:
        The loss of every step.

    Raises:
        FloatingPointError: A loss or gradient is not finite; the message names the step.
    """
    unet, device = pipeline.unet, pipeline.device
    noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)  # with SD's betas
    parameters = [p for p in adapter.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, weight_decay=config.weight_decay, fused=True)

    # The VAE and the text encoder are frozen, so each picture and caption passes them only once.
    mean, std, captions = encode_pictures(pipeline.vae, dataset, config.batch_size)
    texts = EncodedCaptions(pipeline, captions)

    unet.train()
    adapter.train()
    losses: list[float] = []
    for step in range(1, config.steps + 1):
        # Choose pictures, their noise and how much of it; now and then hide a caption.
        draw = draw_step(step, len(captions), tuple(mean.shape[1:]), noise_scheduler, config)
        sampled = mean[draw.pictures] + std[draw.pictures] * draw.posterior_noise  # (B, 4, h, w)
        latents = (sampled * pipeline.vae.config.scaling_factor).to(device)  # (B, 4, h, w)
        encoder_hidden_states = texts(draw.pictures, draw.caption_dropped)  # (B, S, D)

        # Ask the U-Net for the noise.
        noise, timesteps = draw.noise.to(device), draw.timesteps.to(device)
        loss = diffusion_loss(
            unet, noise_scheduler, latents, encoder_hidden_states, noise, timesteps
        )

        # Improve the adapter.
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        grad_norm = nn.utils.clip_grad_norm_(parameters, config.max_grad_norm)
        # Both numbers in one go: on a GPU each .item() would wait for everything before it.
        loss_value, norm_value = torch.stack((loss.detach(), grad_norm)).tolist()
        if not math.isfinite(loss_value + norm_value):
            raise FloatingPointError(
                f"Step {step}: loss {loss_value}, gradient norm {norm_value}. "
                f"A smaller learning rate than {config.learning_rate} usually helps."
            )
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, config)
        optimizer.step()

        losses.append(loss_value)
        reporter.step(step, loss_value)
    unet.eval()
    adapter.eval()
    return TrainResult(losses=tuple(losses))


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """Return the learning rate of a step (from 1): a straight warm-up, then constant."""
    return config.learning_rate * min(1.0, step / max(1, config.lr_warmup_steps))
