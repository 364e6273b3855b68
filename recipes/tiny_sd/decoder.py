"""Stage "decoder": go on improving the decoder while the encoder stays as it is.

The U-Net only knows the latents. As long as the encoder is frozen, a better decoder can replace the
old one at any time, also after the U-Net was trained.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL

from toolkit.training_runs.half import mixed_precision

from .autoencoder_pictures import AutoencoderPictures
from .corpus import Corpus
from .files import read_json, write_json
from .settings import SCALING_FACTOR, Recipe
from .training import Schedule, TrainState, train
from .vae import device_of_choice, held_out_pictures, save_preview

# A little noise on the latents, in units of their std: what a U-Net makes is never exactly a code.
LATENT_NOISE = 0.03
# More absolute error than in stage "vae": its optimum is the median, which keeps edges of flat
# colours crisp where the mean blurs them.
L1_WEIGHT = 0.5


def train_decoder(corpus: Corpus, recipe: Recipe, run: Path) -> None:
    """Train (or go on training) ``run/decoder.safetensors`` and update ``run/vae``."""
    settings, device = recipe.vae, device_of_choice()
    vae = AutoencoderKL.from_pretrained(run / "vae").to(device, memory_format=torch.channels_last)
    vae.requires_grad_(False)
    parts = {"decoder": vae.decoder, "post_quant_conv": vae.post_quant_conv}
    for part in parts.values():
        part.requires_grad_(True)
    pictures, probe = AutoencoderPictures(corpus), held_out_pictures(corpus, 192).to(device)

    def loss_of(step: int, rng: random.Random) -> torch.Tensor:
        pixel_values = pictures.batch(settings.batch_size, rng).to(device)
        pixel_values = pixel_values.contiguous(memory_format=torch.channels_last)
        with mixed_precision(device):
            with torch.no_grad():
                latents = vae.encode(pixel_values).latent_dist.mode().float()  # (B, C, H/8, W/8)
                latents += LATENT_NOISE / SCALING_FACTOR * torch.randn_like(latents)
            reconstruction = vae.decode(latents).sample  # (B, 3, H, W)
        difference: torch.Tensor = reconstruction.float() - pixel_values
        return difference.square().mean() + L1_WEIGHT * difference.abs().mean()

    def preview(step: int) -> dict[str, float]:
        return save_preview(vae, probe, run / "previews" / f"decoder-{step:06d}.png")

    schedule = replace(
        Schedule.of(recipe, settings),
        train_steps=recipe.decoder_steps,
        decay_steps=recipe.decoder_steps // 4,
        learning_rate=settings.learning_rate / 2,
        seed=settings.seed + 100,
    )
    state = TrainState(dict(parts))
    train(state, loss_of, schedule, run / "decoder.safetensors", preview, recipe.share_cpu)
    state.swap_average()
    vae.save_pretrained(run / "vae")
    write_json(run / "vae.json", {**read_json(run / "vae.json"), "decoder_steps": state.step})
