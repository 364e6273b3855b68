"""Training: add noise to the latents of a picture, let the U-Net predict it, improve the LoRA.

Ho et al. 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239, algorithm 1, in the
latent space of Rombach et al. 2022, arXiv:2112.10752.

Shapes in comments: B batch, N pictures, H W pixels, h w = H/8 W/8, S tokens (77), D text width (768
in SD 1.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from harness import TrainResult, hookimpl
from toolkit.core.reporting import ResumableReporter

from .devices import check_finite, own_rows, start_accelerator, sum_up, training_mode
from .draws import DROPOUT, draw_step, seed_of
from .encode import EncodedCaptions, encode_pictures
from .optimizers import build_optimizer, restore_training, set_learning_rate, training_state

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
    target = training_target(noise_scheduler, latents, noise, timesteps)  # (B, 4, h, w)
    errors = F.mse_loss(noise_pred.float(), target.float(), reduction="none")  # (B, 4, h, w)
    if min_snr_gamma is None:
        return errors.mean()
    weights = min_snr_weights(noise_scheduler, timesteps, min_snr_gamma)  # (B,)
    weighted: Tensor = weights * errors.mean((1, 2, 3))  # (B,)
    return weighted.mean()


def min_snr_weights(noise_scheduler: DDPMScheduler, timesteps: Tensor, gamma: float) -> Tensor:
    """Return the weight of each timestep, (B,): those with little noise count less.

    Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy",
    arXiv:2303.09556: min(SNR, gamma) / SNR for epsilon, min(SNR, gamma) / (SNR + 1) for v.
    """
    alpha_bar: Tensor = noise_scheduler.alphas_cumprod.to(timesteps.device)[timesteps]  # (B,)
    snr = alpha_bar / (1 - alpha_bar)  # (B,)
    if noise_scheduler.config.prediction_type == "v_prediction":
        return snr.clamp(max=gamma) / (snr + 1)
    return snr.clamp(max=gamma) / snr


def training_target(
    noise_scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, timesteps: Tensor
) -> Tensor:
    """Return what the U-Net of this scheduler has to predict, (B, 4, h, w).

    Raises:
        ValueError: The scheduler's prediction type is neither epsilon nor v_prediction, or it
            predicts the noise at a timestep that is nothing but noise.
    """
    prediction_type = noise_scheduler.config.prediction_type
    if prediction_type == "epsilon" and noise_scheduler.config.rescale_betas_zero_snr:
        # Lin et al. 2023, arXiv:2305.08891, section 3.3: the answer would be the question.
        raise ValueError(
            "The base has zero terminal SNR and predicts the noise (epsilon): at the last timestep "
            "there is nothing to learn from, and min-SNR would divide 0 by 0. Such a base has to "
            'be v_prediction: set "prediction_type" in its scheduler/scheduler_config.json.'
        )
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
        reporter: Hears of each finished step; a ``ResumableReporter`` also keeps checkpoints.

    Returns:
        The loss of every step.

    Raises:
        FloatingPointError: A loss or gradient is not finite; the message names the step.
        ValueError: The settings do not go with the base, the device or the number of processes.
    """
    accelerator = start_accelerator(pipeline, config)
    unet, device, gamma = pipeline.unet, accelerator.device, config.min_snr_gamma
    noise_scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)  # with SD's betas
    optimizer = accelerator.prepare_optimizer(build_optimizer(pipeline, adapter, config))
    parameters = [p for p in adapter.parameters() if p.requires_grad]  # a list: used every step

    keeper = reporter if isinstance(reporter, ResumableReporter) else None
    # The VAE and the text encoder are frozen, so each picture and caption passes them only once.
    cache_dir = keeper.cache_dir if keeper else None
    pictures = encode_pictures(pipeline.vae, dataset, cache_dir)
    texts = EncodedCaptions(pipeline, pictures.captions, cache_dir)
    # Go on where an earlier run stopped.
    losses = restore_training(keeper.resume(), adapter, optimizer) if keeper else []

    with training_mode(pipeline, texts.is_trained, config):
        for step in range(len(losses) + 1, config.steps + 1):
            # Choose pictures, their noise and how much of it; now and then hide a caption.
            draw = draw_step(step, pictures.shapes, noise_scheduler, config)
            torch.manual_seed(seed_of(config.seed, DROPOUT, step, accelerator.process_index))

            # Ask the U-Net for the noise, in as many parts as memory needs.
            optimizer.zero_grad()
            loss = torch.zeros((), device=device)
            for rows in own_rows(accelerator, config):
                part = draw.part(rows)
                sampled = pictures.sample(part.pictures, part.posterior_noise)  # (B, 4, h, w)
                latents = (sampled * pipeline.vae.config.scaling_factor).to(device)
                noise, timesteps = part.noise.to(device), part.timesteps.to(device)
                with accelerator.autocast():
                    embeddings = texts(part.pictures, part.caption_dropped).to(device)  # (B, S, D)
                    inputs = (latents, embeddings, noise, timesteps)
                    part_loss = diffusion_loss(unet, noise_scheduler, *inputs, gamma)
                part_loss *= len(rows) / config.batch_size  # its share of the batch's mean
                accelerator.backward(part_loss)
                loss += part_loss.detach()

            # Improve the adapter.
            loss = sum_up(accelerator, parameters, loss)
            grad_norm = accelerator.clip_grad_norm_(parameters, config.max_grad_norm)
            # Both numbers in one go: on a GPU each .item() would wait for everything before it.
            loss_value, norm_value = torch.stack((loss, grad_norm)).tolist()
            check_finite(accelerator, step, loss_value, norm_value, config)
            set_learning_rate(optimizer, step, config)
            optimizer.step()

            losses.append(loss_value)
            reporter.step(step, loss_value)
            if keeper:
                keeper.checkpoint(step, lambda: training_state(adapter, optimizer, losses))
    return TrainResult(losses=tuple(losses))
