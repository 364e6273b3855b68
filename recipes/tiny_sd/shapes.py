"""Which shape should the autoencoder have? Several shapes trained for equal processor time.

    python -m recipes.tiny_sd.shapes --run DIR [--seconds 240]

Every shape starts from nothing and gets the same seconds of one core; then held-out drawings and the
tracks' pictures go through it. Writes ``shapes.json`` and ``shapes.png`` into ``recipes/tiny_sd/reference``.
"""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import argparse
import random
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from .autoencoder_pictures import AutoencoderPictures
from .corpus import Corpus, build_corpus, load_corpus, save_corpus
from .files import read_json, write_json
from .models import build_unet, build_vae
from .packages import read_packages
from .pictures import save_grid
from .reference import FOLDER, HELD_OUT_COUNT
from .settings import UnetSettings, VaeSettings
from .track_pictures import NAMES, track_pictures
from .training import Schedule, TrainState, train
from .vae import held_out_pictures, psnr, quiet_posterior, reconstruct, vae_loss

ICON_PX: Final = 144  # larger than the largest picture's drawings
PACE_STEPS: Final = 6
SHOWN_PX: Final = 128
SHOWN: Final = 3  # pictures of each kind


@dataclass(frozen=True)
class Shape:
    """One candidate."""

    name: str
    vae: VaeSettings
    unet: UnetSettings


WIDE: Final = VaeSettings(widths=(32, 64, 96, 128))
SHAPES: Final = (
    Shape("4 x 8 x 8, the old widths", VaeSettings(), UnetSettings()),
    Shape("4 x 8 x 8", replace(WIDE, latent_channels=4), UnetSettings()),
    Shape("8 x 8 x 8", replace(WIDE, latent_channels=8), UnetSettings()),
    Shape("16 x 8 x 8", replace(WIDE, latent_channels=16), UnetSettings()),
    Shape(
        "4 x 16 x 16, 128 px",
        replace(WIDE, latent_channels=4, resolution_px=128, batch_size=8),
        UnetSettings(widths=(48, 96)),
    ),
)


def train_shape(shape: Shape, corpus: Corpus, seconds: float, folder: Path) -> AutoencoderKL:
    """Train one candidate for about `seconds` and return it with its averaged weights."""
    settings = shape.vae
    torch.manual_seed(settings.seed)
    vae = build_vae(settings)
    quiet_posterior(vae)
    vae.to(memory_format=torch.channels_last)
    pictures = AutoencoderPictures(corpus, settings.resolution_px)

    def loss_of(step: int, rng: random.Random) -> torch.Tensor:
        pixel_values = pictures.batch(settings.batch_size, rng)
        pixel_values = pixel_values.contiguous(memory_format=torch.channels_last)
        return vae_loss(vae, pixel_values, settings.kl_weight, settings.l1_weight)

    began = time.process_time()
    for step in range(PACE_STEPS):
        torch.autograd.backward(loss_of(step, random.Random(step)))
        if step == 0:
            began = time.process_time()
    pace_s = (time.process_time() - began) / (PACE_STEPS - 1)
    vae.zero_grad(set_to_none=True)
    steps = int(seconds / pace_s)
    schedule = Schedule(
        train_steps=steps,
        decay_steps=steps // 3,
        learning_rate=settings.learning_rate,
        ema_decay=0.99,
        seed=settings.seed,
        checkpoint_every=steps,
    )
    state = TrainState({"vae": vae})
    train(state, loss_of, schedule, folder / "vae.safetensors")
    state.swap_average()
    write_json(folder / "pace.json", {"step_s": pace_s, "pictures": steps * settings.batch_size})
    return vae.eval().requires_grad_(False)


def measure_shape(
    shape: Shape, vae: AutoencoderKL, corpus: Corpus
) -> tuple[dict[str, float], torch.Tensor]:
    """Reconstruct held-out drawings and the tracks' pictures.

    Returns:
        Mean dB of each kind of picture, and some reconstructions (N, 3, 128, 128) to look at.
    """
    side = shape.vae.resolution_px
    kinds = {"held-out drawings": held_out_pictures(corpus, HELD_OUT_COUNT, side)}
    kinds.update({name: track_pictures(name, side) for name in NAMES})
    figures, shown = {}, []
    for kind, pixel_values in kinds.items():
        reconstruction = reconstruct(vae, pixel_values)
        figures[kind] = float(psnr(pixel_values, reconstruction).mean())
        shown.append(reconstruction[:SHOWN])
    return figures, functional.interpolate(torch.cat(shown), size=(SHOWN_PX, SHOWN_PX))


def unet_step_s(shape: Shape, batch_size: int = 8, repeats: int = 10) -> float:
    """Time forward and backward of the shape's U-Net at a LoRA's batch size, in seconds."""
    side = shape.vae.resolution_px // 8
    unet = build_unet(replace(shape.unet, latent_channels=shape.vae.latent_channels))
    latents = torch.randn(batch_size, shape.vae.latent_channels, side, side)  # (B, C, h, w)
    states = torch.randn(batch_size, 40, shape.unet.text_width)  # (B, S, D)
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        torch.autograd.backward(unet(latents, 500, states).sample.square().mean())
        taken.append(time.process_time() - began)
    return sorted(taken)[repeats // 2]


def compare(run: Path, packages: Path, seconds: float) -> None:
    """Train and measure all shapes; finished ones are not trained again."""
    torch.set_num_threads(1)
    folder = run / "shapes"
    if not (folder / "corpus.json").exists():
        save_corpus(build_corpus(read_packages(), packages, ICON_PX), folder)
    corpus = load_corpus(folder)
    rows: list[dict[str, Any]] = []
    shown = []
    for number, shape in enumerate(SHAPES):
        vae = train_shape(shape, corpus, seconds, folder / str(number))
        figures, pictures = measure_shape(shape, vae, corpus)
        pace = read_json(folder / str(number) / "pace.json")
        rows.append(
            {
                "name": shape.name,
                "vae": asdict(shape.vae),
                "unet_widths": shape.unet.widths,
                "unet_step_s": unet_step_s(shape),
                "psnr_db": figures,
                **pace,
            }
        )
        shown.append(pictures)
        print(rows[-1], flush=True)
        write_json(FOLDER / "shapes.json", {"seconds": seconds, "shapes": rows})
        save_grid(torch.cat(shown), FOLDER / "shapes.png", columns=len(pictures))


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=240.0)
    arguments = parser.parse_args()
    compare(arguments.run, arguments.run / "packages", arguments.seconds)


if __name__ == "__main__":
    main()
