"""Stage "vae": the autoencoder, with no loss that would need a foreign network."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import random
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from PIL import Image

from toolkit.training_runs.half import mixed_precision

from .autoencoder_pictures import AutoencoderPictures
from .composite import Placement, compose, to_tensor
from .corpus import Corpus
from .models import build_vae
from .pictures import save_grid
from .settings import RESOLUTION_PX, Recipe
from .training import Schedule, TrainState, train
from .vocabulary import BACKGROUNDS, STYLES
from .whiten import whiten_latents

WHITEN_PICTURES = 256
# The parameters that whitening changes.
WHITENED = ("vae.quant_conv.", "vae.post_quant_conv.")


def device_of_choice() -> torch.device:
    """Pick the GPU when there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def vae_loss(
    vae: AutoencoderKL, pixel_values: torch.Tensor, kl_weight: float, l1_weight: float
) -> torch.Tensor:
    """Squared and absolute error of the reconstruction plus a tiny KL.

    The KL only keeps the latents bounded and their surroundings decodable; at this weight it costs
    no sharpness.

    Args:
        vae: Autoencoder.
        pixel_values: (B, 3, H, W) in [-1, 1].
        kl_weight: Weight of the KL per latent element.
        l1_weight: Weight of the absolute error.

    Returns:
        Scalar.
    """
    with mixed_precision(pixel_values.device):
        posterior = vae.encode(pixel_values).latent_dist
        reconstruction = vae.decode(posterior.sample()).sample  # (B, 3, H, W)
    difference: torch.Tensor = reconstruction.float() - pixel_values
    mean, logvar = posterior.mean.float(), posterior.logvar.float()  # (B, C, H/8, W/8)
    kl: torch.Tensor = 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).mean()
    loss: torch.Tensor = difference.square().mean() + l1_weight * difference.abs().mean()
    return loss + kl_weight * kl


def held_out_pictures(corpus: Corpus, count: int, side_px: int = RESOLUTION_PX) -> torch.Tensor:
    """Compose emoji of held-out names at usual size, (B, 3, H, W): always the same ones."""
    rng = random.Random("vae/held-out")
    indices = [
        i
        for i, icon in enumerate(corpus.entries)
        if icon.held_out and icon.set in STYLES.values() and not icon.extra
    ]
    chosen = sorted(rng.sample(indices, min(count, len(indices))))
    colours = list(BACKGROUNDS.values())
    return to_tensor(
        [
            compose(corpus.pixels[i], rng.choice(colours), Placement(0.8, None, 0.5, 0.5), side_px)
            for i in chosen
        ]
    )


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, pixel_values: torch.Tensor) -> torch.Tensor:
    """Encode to the mean and decode, (B, 3, H, W) in [-1, 1]."""
    batches = torch.split(pixel_values, 32)
    return torch.cat(
        [vae.decode(vae.encode(batch).latent_dist.mode()).sample.clamp(-1, 1) for batch in batches]
    )


def psnr(pixel_values: torch.Tensor, reconstruction: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB for each picture, (B,); inputs in [-1, 1]."""
    error = (pixel_values - reconstruction).float().square().flatten(1).mean(1)  # (B,)
    return 10 * torch.log10(4.0 / error)


def train_vae(corpus: Corpus, recipe: Recipe, run: Path) -> None:
    """Train (or go on training) the autoencoder into ``run/vae.safetensors``."""
    settings, device = recipe.vae, device_of_choice()
    torch.manual_seed(settings.seed)
    vae = build_vae(settings)
    quiet_posterior(vae)
    vae.to(device=device, memory_format=torch.channels_last)
    pictures, probe = AutoencoderPictures(corpus), held_out_pictures(corpus, 192).to(device)

    state = TrainState({"vae": vae})

    def loss_of(step: int, rng: random.Random) -> torch.Tensor:
        if step in settings.whiten_at:
            sample = pictures.batch(WHITEN_PICTURES, random.Random("whiten")).to(device)
            whiten_latents(vae, sample, 1.0)
            quiet_posterior(vae)
            state.start_anew(WHITENED)
        pixel_values = pictures.batch(settings.batch_size, rng).to(device)
        pixel_values = pixel_values.contiguous(memory_format=torch.channels_last)
        return vae_loss(vae, pixel_values, settings.kl_weight, settings.l1_weight)

    def preview(step: int) -> dict[str, float]:
        return save_preview(vae, probe, run / "previews" / f"vae-{step:06d}.png")

    schedule = Schedule.of(recipe, settings)
    train(state, loss_of, schedule, run / "vae.safetensors", preview, recipe.share_cpu)


def save_preview(vae: AutoencoderKL, probe: torch.Tensor, path: Path) -> dict[str, float]:
    """Draw pictures beside their reconstructions; return how near these are, for the log."""
    reconstruction = reconstruct(vae, probe)
    pairs = torch.stack([probe[:32], reconstruction[:32]], 1).flatten(0, 1)  # (2B, 3, H, W)
    save_grid(pairs, path, columns=8)
    return {"held_out_psnr_db": float(psnr(probe, reconstruction).mean())}


@torch.no_grad()
def quiet_posterior(vae: AutoencoderKL) -> None:
    """Start with little posterior noise.

    A fresh encoder's noise has std 1 and drowns its small means; then some channels are never used
    (seen: one of four, and with it a third of the colours).
    """
    channels = vae.config.latent_channels
    vae.quant_conv.weight[channels:] = 0.0
    vae.quant_conv.bias[channels:] = -6.0


def contact_sheet(corpus: Corpus, path: Path) -> None:
    """Draw every taught concept once in each style, small, into one picture."""
    rng = random.Random("contact-sheet")
    colours = list(BACKGROUNDS.values())
    shown = [i for i, icon in enumerate(corpus.entries) if icon.concept and not icon.held_out]
    tiles = [
        compose(corpus.pixels[i], rng.choice(colours), Placement(0.9, None, 0.5, 0.5))
        for i in shown
    ]
    sheet = Image.new("RGB", (32 * 23, 32 * -(-len(tiles) // 23)))
    for place, tile in enumerate(tiles):
        sheet.paste(tile.resize((32, 32)), (32 * (place % 23), 32 * (place // 23)))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
