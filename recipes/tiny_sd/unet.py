"""Stage "unet": text encoder and U-Net learn together to predict the noise in captioned latents."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel, CLIPTokenizer

from toolkit.training_runs.half import mixed_precision

from .captions import caption
from .latents import Scene, load_latents
from .models import build_text_encoder, build_unet, training_scheduler
from .pictures import save_grid
from .sampling import sample_pictures
from .settings import Recipe, UnetSettings
from .tokenizer import build_tokenizer, load_merges
from .training import Schedule, TrainState, train
from .vae import device_of_choice

PREVIEW_PROMPTS = (
    caption("red-apple", "blue", "noto"),
    caption("cat-face", "green", "twemoji"),
    caption("rocket", "yellow", "fluent"),
    caption("robot", "pink", "noto"),
    caption("banana", "black", "fluent"),
    caption("penguin", "red", "twemoji"),
    caption("guitar", "white", "noto"),
    caption("house", "purple", "fluent"),
    caption("fox", "blue", "twemoji"),
    caption("pizza", "green", "noto"),
    caption("bicycle", "orange", None),
    caption("skull", "red", None, "small"),
    caption("elephant", "yellow", "noto"),
    caption("sailboat", "pink", "twemoji"),
    caption("crown", "blue", None, "large"),
    caption("mushroom", "white", "fluent"),
)


HELD_OUT_SHARE = 0.02
PROBE_BATCH = 64


def snr_weights(scheduler: DDPMScheduler, gamma: float) -> torch.Tensor:
    """Return each timestep's min-SNR weight (https://arxiv.org/abs/2303.09556), (T,)."""
    alphas: torch.Tensor = scheduler.alphas_cumprod  # (T,)
    snr = alphas / (1 - alphas)  # (T,)
    return snr.clamp(max=gamma) / snr


def noise_loss(
    unet: UNet2DConditionModel,
    scheduler: DDPMScheduler,
    latents: torch.Tensor,
    encoder_hidden_states: torch.Tensor,
    timesteps: torch.Tensor,
    weights: torch.Tensor,
) -> torch.Tensor:
    """Weighted squared error of the predicted noise.

    Args:
        unet: Noise predictor.
        scheduler: Noising schedule.
        latents: (B, C, h, w), std 1.
        encoder_hidden_states: (B, S, D).
        timesteps: (B,) in [0, T).
        weights: (T,) weight of each timestep.

    Returns:
        Scalar.
    """
    noise = torch.randn_like(latents)  # (B, C, h, w)
    noisy_latents = scheduler.add_noise(latents, noise, timesteps)
    noisy_latents = noisy_latents.contiguous(memory_format=torch.channels_last)
    with mixed_precision(latents.device):
        noise_pred = unet(noisy_latents, timesteps, encoder_hidden_states).sample  # (B, C, h, w)
    error: torch.Tensor = (noise_pred.float() - noise).square().mean((1, 2, 3))  # (B,)
    return (error * weights[timesteps]).mean()


def caption_ids(tokenizer: CLIPTokenizer) -> Callable[[list[str]], torch.Tensor]:
    """Return a function from captions to token ids (B, S) that remembers what it has seen."""
    known: dict[str, torch.Tensor] = {}

    def encode(texts: list[str]) -> torch.Tensor:
        for text in texts:
            if text not in known:
                ids = tokenizer(text, padding="max_length", truncation=True, return_tensors="pt")
                known[text] = ids.input_ids[0]  # (S,)
        return torch.stack([known[text] for text in texts])

    return encode


class Batches:
    """Deterministic batches of latents and captions for a step."""

    def __init__(
        self,
        scenes: list[Scene],
        latents: torch.Tensor,
        tokenizer: CLIPTokenizer,
        settings: UnetSettings,
    ) -> None:
        """Keep the data; `latents` is (N, C, h, w)."""
        self._scenes, self._latents, self._settings = scenes, latents, settings
        self._encode = caption_ids(tokenizer)

    def draw(self, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw latents (B, C, h, w) and token ids (B, S); some captions are emptied."""
        chosen = [rng.randrange(len(self._scenes)) for _ in range(self._settings.batch_size)]
        texts = [
            "" if rng.random() < self._settings.caption_dropout else self._scenes[i].caption(rng)
            for i in chosen
        ]
        return self._latents[chosen], self._encode(texts)


class Probe:
    """Pictures kept out of the training, at fixed timesteps and noise: is the loss flat yet?"""

    def __init__(
        self, scenes: list[Scene], latents: torch.Tensor, tokenizer: CLIPTokenizer
    ) -> None:
        """Keep the data; `latents` is (N, C, h, w)."""
        rng = random.Random("probe")
        self._latents = latents
        self._ids = caption_ids(tokenizer)([scene.caption(rng) for scene in scenes])  # (N, S)

    @torch.no_grad()
    def loss(
        self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, scheduler: DDPMScheduler
    ) -> float:
        """Return the mean squared error over all pictures, each at one timestep."""
        steps_total = scheduler.config.num_train_timesteps
        timesteps = (torch.arange(len(self._latents)) * 37) % steps_total  # (N,)
        weights = torch.ones(steps_total, device=unet.device)  # (T,)
        torch.manual_seed(0)
        total = 0.0
        for start in range(0, len(self._latents), PROBE_BATCH):
            part = slice(start, start + PROBE_BATCH)
            hidden = text_encoder(self._ids[part].to(unet.device)).last_hidden_state  # (B, S, D)
            latents = self._latents[part].to(unet.device)  # (B, C, h, w)
            chosen = timesteps[part].to(unet.device)  # (B,)
            loss = noise_loss(unet, scheduler, latents, hidden, chosen, weights)
            total += float(loss) * len(latents)
        return total / len(self._latents)


def train_unet(recipe: Recipe, run: Path) -> None:
    """Train (or go on training) U-Net and text encoder into ``run/unet.safetensors``."""
    settings, device = recipe.unet, device_of_choice()
    tokenizer = build_tokenizer(load_merges(run / "tokenizer"))
    torch.manual_seed(settings.seed)
    unet = build_unet(settings).to(device=device, memory_format=torch.channels_last)
    text_encoder = build_text_encoder(settings, len(tokenizer)).to(device)
    if device.type == "cpu":
        # The fused attention's backward pass in bfloat16 takes half of a step on a CPU.
        unet.set_attn_processor(AttnProcessor())
        text_encoder.set_attn_implementation("eager")
    scheduler = training_scheduler()
    weights = snr_weights(scheduler, settings.min_snr_gamma).to(device)  # (T,)
    steps_total = scheduler.config.num_train_timesteps
    scenes, latents = load_latents(run)
    kept = max(1, int(len(scenes) * HELD_OUT_SHARE))
    batches = Batches(scenes[kept:], latents[kept:], tokenizer, settings)
    probe = Probe(scenes[:kept], latents[:kept], tokenizer)

    def loss_of(step: int, rng: random.Random) -> torch.Tensor:
        latents, input_ids = batches.draw(rng)
        with mixed_precision(device):
            encoder_hidden_states = text_encoder(
                input_ids.to(device)
            ).last_hidden_state  # (B, S, D)
        # Stratified over the batch: the same mean as independent draws, less noise in the gradient.
        offsets = (torch.arange(len(latents)) + torch.rand(len(latents))) / len(latents)
        timesteps = (offsets * steps_total).long().clamp(max=steps_total - 1).to(device)  # (B,)
        return noise_loss(
            unet,
            scheduler,
            latents.to(device),
            encoder_hidden_states,
            timesteps,
            weights,
        )

    def preview(step: int) -> dict[str, float]:
        _save_preview(run, step, unet, text_encoder, tokenizer)
        return {"held_out_loss": probe.loss(unet, text_encoder, scheduler)}

    schedule = Schedule.of(recipe, settings)
    state = TrainState({"unet": unet, "text_encoder": text_encoder})
    train(state, loss_of, schedule, run / "unet.safetensors", preview, recipe.share_cpu)


def _save_preview(
    run: Path,
    step: int,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> None:
    vae = AutoencoderKL.from_pretrained(run / "vae").to(unet.device)
    pictures = sample_pictures(vae, unet, text_encoder, tokenizer, list(PREVIEW_PROMPTS), seed=0)
    save_grid(pictures, run / "previews" / f"unet-{step:06d}.png", columns=8)
