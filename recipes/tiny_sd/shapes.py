"""Which shape should the latents have? Several autoencoders from nothing, for equal time.

    python -m recipes.tiny_sd.shapes --run DIR [--steps 500]

Each has the recipe's widths, optimiser and pictures, and takes as many steps of the same time: a
picture of 128 px costs as much as four of 64. Half an hour on one core. Needs the run's corpus;
writes ``shapes.json`` and ``shapes.webp`` into ``recipes/tiny_sd/reference``.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from .autoencoder_pictures import AutoencoderPictures
from .corpus import Corpus, load_corpus
from .files import write_json
from .models import build_unet, build_vae
from .pictures import save_grid
from .reference import FOLDER, HELD_OUT_COUNT
from .settings import UnetSettings, VaeSettings
from .track_pictures import NAMES, track_pictures
from .training import Schedule, TrainState, train
from .vae import held_out_pictures, psnr, quiet_posterior, reconstruct, vae_loss

SHOWN_PX: Final = 128
SHOWN: Final = 4  # pictures of each kind


@dataclass(frozen=True)
class Shape:
    """One candidate, and a U-Net whose step costs about as much as that of the others."""

    name: str
    channels: int
    side_px: int = 64
    unet_widths: tuple[int, ...] = (64, 128)


SHAPES: Final = (
    Shape("4 x 8 x 8", 4),
    Shape("8 x 8 x 8", 8),
    Shape("16 x 8 x 8", 16),
    Shape("4 x 16 x 16, 128 px", 4, side_px=128, unet_widths=(48, 96)),
)


def train_shape(shape: Shape, corpus: Corpus, run: Path, steps: int) -> AutoencoderKL:
    """Train one candidate for `steps` and return it with its averaged weights."""
    settings = replace(VaeSettings(), latent_channels=shape.channels)
    torch.manual_seed(settings.seed)
    vae = build_vae(settings)
    quiet_posterior(vae)
    vae.to(memory_format=torch.channels_last)
    pictures = AutoencoderPictures(corpus, shape.side_px)
    size = max(1, settings.batch_size * 64**2 // shape.side_px**2)

    def loss_of(step: int, rng: random.Random) -> torch.Tensor:
        pixel_values = pictures.batch(size, rng)
        pixel_values = pixel_values.contiguous(memory_format=torch.channels_last)
        return vae_loss(vae, pixel_values, settings.kl_weight, settings.l1_weight)

    schedule = Schedule(
        train_steps=steps,
        decay_steps=steps // 3,
        learning_rate=settings.learning_rate,
        ema_decay=0.99,
        seed=settings.seed,
        checkpoint_every=100,
    )
    state = TrainState({"vae": vae})
    train(state, loss_of, schedule, run / "shapes" / f"{shape.name}.safetensors")
    state.swap_average()
    return vae.eval().requires_grad_(False)


def measure_shape(
    shape: Shape, vae: AutoencoderKL, corpus: Corpus
) -> tuple[dict[str, float], torch.Tensor, torch.Tensor]:
    """Reconstruct held-out drawings and the tracks' pictures.

    Returns:
        Mean dB of each kind of picture, and some pictures and their reconstructions to look at,
        (N, 3, 128, 128) each.
    """
    side = shape.side_px
    kinds = {"held-out drawings": held_out_pictures(corpus, HELD_OUT_COUNT, side)}
    kinds.update({name: track_pictures(name, side) for name in NAMES})
    figures, before, after = {}, [], []
    for kind, pixel_values in kinds.items():
        reconstruction = reconstruct(vae, pixel_values)
        figures[kind] = round(float(psnr(pixel_values, reconstruction).mean()), 2)
        before.append(pixel_values[:SHOWN])
        after.append(reconstruction[:SHOWN])
    return figures, _enlarged(before), _enlarged(after)


def _enlarged(parts: list[torch.Tensor]) -> torch.Tensor:
    return functional.interpolate(torch.cat(parts), size=(SHOWN_PX, SHOWN_PX))


def unet_step_s(shape: Shape, batch_size: int = 8, repeats: int = 7) -> float:
    """Time forward and backward of the shape's U-Net at a LoRA's batch size; best of `repeats`."""
    side = shape.side_px // 8
    settings = UnetSettings(widths=shape.unet_widths, latent_channels=shape.channels)
    unet = build_unet(settings)
    latents = torch.randn(batch_size, shape.channels, side, side)  # (B, C, h, w)
    states = torch.randn(batch_size, 40, settings.text_width)  # (B, S, D)
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        torch.autograd.backward(unet(latents, 500, states).sample.square().mean())
        taken.append(time.process_time() - began)
    return round(min(taken), 3)


def compare(run: Path, steps: int) -> None:
    """Train and measure all shapes; finished ones are not trained again."""
    torch.set_num_threads(1)
    corpus = load_corpus(run)
    rows: list[dict[str, Any]] = []
    shown: list[torch.Tensor] = []
    for shape in SHAPES:
        vae = train_shape(shape, corpus, run, steps)
        figures, before, after = measure_shape(shape, vae, corpus)
        rows.append(
            {
                "name": shape.name,
                "unet_widths": list(shape.unet_widths),
                "unet_step_s": unet_step_s(shape),
                "psnr_db": figures,
            }
        )
        print(rows[-1], flush=True)
        shown += [after] if shown else [before, after]
    write_json(
        FOLDER / "shapes.json",
        {"steps": steps, "pictures": steps * VaeSettings().batch_size, "shapes": rows},
    )
    save_grid(torch.cat(shown), FOLDER / "shapes.webp", columns=len(shown[0]))


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    arguments = parser.parse_args()
    compare(arguments.run, arguments.steps)


if __name__ == "__main__":
    main()
