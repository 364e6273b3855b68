"""Training: add noise to the latents of a picture, let the U-Net predict it, improve the LoRA.

Ho et al. 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239, algorithm 1, in the
latent space of Rombach et al. 2022, arXiv:2112.10752.

Read ``diffusion_loss`` first, then ``train_loop``: the shortest correct loop. ``train`` is
the same loop with what a long run needs around it, each a call into the toolkit.

Shapes in comments: B batch, N pictures, H W pixels, h w = H/8 W/8, S tokens (77), D text width (768
in SD 1.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from harness import TrainResult, hookimpl
from toolkit.picture_sets.encoded import EncodedCaptions, encode_pictures
from toolkit.training_runs.draws import STEP, generator_of, pictures_of
from toolkit.training_runs.loop import Loop
from toolkit.training_runs.objective import min_snr_weights, training_target

from .lora import add_lora

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel

    from toolkit.core.reporting import Reporter
    from toolkit.core.settings import TrainConfig

MAX_GRAD_NORM = 1.0  # of train_loop, whose signature has no room for it


def diffusion_loss(
    unet: UNet2DConditionModel,
    noise_scheduler: DDPMScheduler,
    latents: Tensor,
    encoder_hidden_states: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    min_snr_gamma: float | None = None,
) -> Tensor:
    """Return how badly the U-Net predicts the noise: the mean squared error.

    Args:
        unet: Predicts the noise in noisy latents.
        noise_scheduler: Knows how much noise each timestep has.
        latents: Scaled latents of the pictures, (B, 4, h, w), standard deviation about 1.
        encoder_hidden_states: The captions as the text encoder sees them, (B, S, D).
        noise: Standard normal, (B, 4, h, w).
        timesteps: Whole numbers from 0 (hardly any noise) to 999 (hardly anything else), (B,).
        min_snr_gamma: Weigh the timesteps, see ``min_snr_weights``; None weighs all the same.

    Returns:
        One number, in float32 also when the U-Net runs in half precision.
    """
    # sqrt(alpha_bar_t) * latents + sqrt(1 - alpha_bar_t) * noise
    noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)  # (B, 4, h, w)
    noise_pred = unet(
        noisy_latents, timesteps, encoder_hidden_states=encoder_hidden_states
    ).sample  # (B, 4, h, w)
    # The noise itself in SD 1.x; in SD 2.x a mixture of noise and latents, the velocity.
    target = training_target(noise_scheduler, latents, noise, timesteps)  # (B, 4, h, w)
    errors = F.mse_loss(noise_pred.float(), target.float(), reduction="none")  # (B, 4, h, w)
    if min_snr_gamma is None:
        return errors.mean()
    weights = min_snr_weights(noise_scheduler, timesteps, min_snr_gamma)  # (B,)
    weighted: Tensor = weights * errors.mean((1, 2, 3))  # (B,)
    return weighted.mean()


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
    """Train for some epochs: the shortest correct loop. To train for real, use ``train``.

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
                embeddings = text_encoder(input_ids.to(device))[0]  # (B, S, D)
            noise = torch.randn_like(latents)  # (B, 4, h, w)
            most = noise_scheduler.config.num_train_timesteps  # 1000
            timesteps = torch.randint(most, (len(latents),), device=device)  # (B,)

            optimizer.zero_grad()
            loss = diffusion_loss(unet, noise_scheduler, latents, embeddings, noise, timesteps)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
            nn.utils.clip_grad_norm_(parameters, MAX_GRAD_NORM)
            optimizer.step()
            losses.append(loss.item())
        print(f"Epoch {epoch + 1}/{num_epochs}, Loss: {sum(losses) / len(losses):.4f}")


class Draw(NamedTuple):
    """Everything random about one step, on the CPU."""

    pictures: Tensor  # (B,) indices into the dataset, all of one size
    caption_dropped: Tensor  # (B,) bool; these see the empty caption, which guidance needs
    posterior_noise: Tensor  # (B, 4, h, w)
    noise: Tensor  # (B, 4, h, w)
    timesteps: Tensor  # (B,)

    def part(self, rows: Tensor) -> Draw:
        """Return some rows of the batch."""
        return Draw(*(values[rows] for values in self))


def draw_step(
    step: int,
    shapes: Sequence[tuple[int, ...]],
    noise_scheduler: DDPMScheduler,
    config: TrainConfig,
) -> Draw:
    """Draw everything random about one step, for the whole batch.

    It depends on (seed, step) alone and not on the steps before, so a resumed run draws what an
    uninterrupted one does, several processes agree on the batch that they share, and two trainers
    with the same seed can be compared step by step.

    Args:
        step: Number of the step, from 1.
        shapes: (4, h, w) of each picture of the dataset.
        noise_scheduler: For the number of timesteps.
        config: Batch size, seed, share of hidden captions, noise offset.
    """
    generator = generator_of(config.seed, STEP, step)
    pictures = pictures_of(step, shapes, config)
    batch_shape = (config.batch_size, *shapes[int(pictures[0])])  # (B, 4, h, w)
    caption_dropped = torch.rand(config.batch_size, generator=generator) < config.caption_dropout
    posterior_noise = torch.randn(batch_shape, generator=generator)
    noise = torch.randn(batch_shape, generator=generator)
    timesteps = torch.randint(
        noise_scheduler.config.num_train_timesteps, (config.batch_size,), generator=generator
    )
    if config.noise_offset:
        # Plain noise hardly changes a picture's mean, so the base learns to keep it: it cannot draw
        # very dark or very bright pictures. Shifting each channel's noise as a whole mends that.
        # https://www.crosslabs.org/blog/diffusion-with-offset-noise
        offset = torch.randn((*batch_shape[:2], 1, 1), generator=generator)  # (B, 4, 1, 1)
        noise = noise + config.noise_offset * offset  # (B, 4, h, w)
    return Draw(pictures, caption_dropped, posterior_noise, noise, timesteps)


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
        reporter: Hears of each finished step; a ``ResumableReporter`` also keeps checkpoints.

    Returns:
        The loss of every step.

    Raises:
        FloatingPointError: A loss or gradient is not finite; the message names the step.
        ValueError: The settings do not go with the base, the device or the number of processes.
    """
    noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)  # with SD's betas
    # 0.18215 in SD 1.4: brings latents to a deviation of about 1, which the U-Net expects.
    scaling_factor = pipeline.vae.config.scaling_factor
    # Device, precision, AdamW (or another optimiser) of the adapter's parameters, checkpoints.
    loop = Loop(pipeline, adapter, config, reporter)
    unet, device = pipeline.unet, loop.device
    # The VAE and the text encoder are frozen, so each picture and caption passes them only once.
    # The VAE answers with a mean and a deviation for each latent; every step draws from them anew.
    pictures = encode_pictures(pipeline.vae, dataset, loop.cache_dir)
    texts = EncodedCaptions(pipeline, pictures.captions, loop.cache_dir)

    # Continues where an earlier run stopped. It may replace `add_lora`, the plain form of a LoRA
    # layer, by one that computes the same faster.
    with loop.training(add_lora, trains_text=texts.is_trained):
        for step in loop.steps():  # from 1 to config.steps, each with its learning rate
            # Choose pictures, their noise and how much of it; now and then hide a caption.
            draw = draw_step(step, pictures.shapes, noise_scheduler, config)

            # Ask the U-Net for the noise.
            loop.optimizer.zero_grad()
            for part in loop.parts(draw):  # all B at once, unless memory or processes split them
                sampled = pictures.sample(part.pictures, part.posterior_noise)  # (B, 4, h, w)
                latents = (sampled * scaling_factor).to(device)  # (B, 4, h, w)
                noise, timesteps = part.noise.to(device), part.timesteps.to(device)
                with loop.autocast():  # the precision that the U-Net computes in
                    embeddings = texts(part.pictures, part.caption_dropped).to(device)  # (B, S, D)
                    inputs = (latents, embeddings, noise, timesteps)
                    loss = diffusion_loss(unet, noise_scheduler, *inputs, config.min_snr_gamma)
                loop.backward(loss, part)  # loss.backward(): the gradients of every A and B

            # Improve the adapter.
            loop.clip_gradients()  # to config.max_grad_norm
            loop.optimizer.step()
            loop.report(step)  # to the log; samples, validation and checkpoints when they are due
    return TrainResult(losses=tuple(loop.losses))
