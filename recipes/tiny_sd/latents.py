"""Stage "latents": captioned composites, encoded once: a U-Net step needs no autoencoder."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save

from toolkit.core.atomic import write_bytes

from .captions import sample_caption
from .composite import compose, sample_placement, to_tensor
from .corpus import Corpus
from .files import read_json, write_json
from .models import build_vae
from .progress import progress
from .settings import SCALING_FACTOR, Recipe
from .training import TrainState
from .vae import device_of_choice
from .variations import tint
from .vocabulary import BACKGROUNDS, BINDING_THINGS, INKS, STYLES
from .whiten import whiten_latents

ENCODE_BATCH = 64
STATISTICS_COUNT = 2048
# Drawings stay near the middle: where a thing is says nothing about what it is, and every place has
# to be learned anew, since one latent is 8 pixels wide.
SPREAD = 0.4
# So many drawings are tinted in a colour that their caption names.
INK_SHARE = 0.1


@dataclass(frozen=True)
class Scene:
    """What a composite shows: enough to write any caption for it."""

    name: str
    style: str
    background: str
    size_word: str | None
    ink: str | None = None

    def caption(self, rng: random.Random) -> str:
        """Draw one caption."""
        return sample_caption(self.name, self.background, self.style, self.size_word, rng, self.ink)


def draw_scene(corpus: Corpus, taught: list[int], rng: random.Random) -> tuple[Scene, Any]:
    """Draw one captioned picture.

    Args:
        corpus: Icons.
        taught: Indices of the icons that may be shown.
        rng: Source of the draw.

    Returns:
        The scene and its PIL picture.
    """
    index = rng.choice(taught)
    icon = corpus.entries[index]
    style = next(word for word, key in STYLES.items() if key == icon.set)
    background, placement = rng.choice(list(BACKGROUNDS)), sample_placement(rng, SPREAD)
    pixels, ink = np.asarray(corpus.pixels[index]), None  # (S, S, 4)
    if icon.name not in BINDING_THINGS and rng.random() < INK_SHARE:
        ink = rng.choice([colour for colour in INKS if colour != background])
        pixels = tint(pixels, BACKGROUNDS[ink])
    picture = compose(pixels, BACKGROUNDS[background], placement)
    return Scene(icon.name, style, background, placement.size_word, ink), picture


def taught_indices(corpus: Corpus) -> list[int]:
    """List the icons the U-Net is trained on."""
    return [i for i, icon in enumerate(corpus.entries) if icon.concept and not icon.held_out]


@torch.no_grad()
def encode_scenes(
    vae: AutoencoderKL, corpus: Corpus, count: int, seed: str
) -> tuple[list[Scene], torch.Tensor]:
    """Compose and encode `count` pictures.

    Args:
        vae: Trained autoencoder.
        corpus: Icons.
        count: How many pictures.
        seed: Names the draw.

    Returns:
        Scenes, and posterior means (N, C, h, w) float32 without scaling factor.
    """
    rng, taught = random.Random(seed), taught_indices(corpus)
    scenes: list[Scene] = []
    encoded: list[torch.Tensor] = []
    for start in progress(range(0, count, ENCODE_BATCH), "encode"):
        drawn = [draw_scene(corpus, taught, rng) for _ in range(min(ENCODE_BATCH, count - start))]
        pixel_values = to_tensor([picture for _, picture in drawn]).to(vae.device)  # (B, 3, H, W)
        pixel_values = pixel_values.contiguous(memory_format=torch.channels_last)
        means = vae.encode(pixel_values).latent_dist.mode()  # (B, C, h, w)
        encoded.append(means.contiguous().cpu())
        scenes += [scene for scene, _ in drawn]
    return scenes, torch.cat(encoded)


def finished_vae(recipe: Recipe, run: Path) -> tuple[AutoencoderKL, int]:
    """Load the averaged weights of the "vae" stage and the number of steps they took."""
    vae = build_vae(recipe.vae)
    state = TrainState({"vae": vae})
    state.load(run / "vae.safetensors")
    state.swap_average()
    return vae.eval().requires_grad_(False), state.step


def build_latents(corpus: Corpus, recipe: Recipe, run: Path) -> None:
    """Freeze the encoder and encode the U-Net's training pictures.

    The first time, the autoencoder is whitened and saved as ``run/vae``; from then on that one is
    used, since a U-Net is worth nothing with another encoder.
    """
    vae = frozen_vae(corpus, recipe, run)
    scenes, means = encode_scenes(vae, corpus, recipe.composites, "composites")
    tensors = {"latents": (means * SCALING_FACTOR).half()}
    write_bytes(run / "latents.safetensors", save(tensors))
    write_json(run / "latents.json", {"scenes": [asdict(scene) for scene in scenes]})


def frozen_vae(corpus: Corpus, recipe: Recipe, run: Path) -> AutoencoderKL:
    """Load ``run/vae``, or make it from the "vae" stage's weights."""
    if (run / "vae" / "config.json").exists():
        vae = AutoencoderKL.from_pretrained(run / "vae").requires_grad_(False)
        return vae.to(device_of_choice(), memory_format=torch.channels_last)
    vae, steps = finished_vae(recipe, run)
    vae = vae.to(device_of_choice(), memory_format=torch.channels_last)
    rng, taught = random.Random("statistics"), taught_indices(corpus)
    count = min(STATISTICS_COUNT, recipe.composites)
    pixel_values = to_tensor([draw_scene(corpus, taught, rng)[1] for _ in range(count)])
    whiten_latents(vae, pixel_values.to(vae.device), 1 / SCALING_FACTOR)
    vae.save_pretrained(run / "vae")
    write_json(run / "vae.json", {"steps": steps})
    return vae


def load_latents(run: Path) -> tuple[list[Scene], torch.Tensor]:
    """Read scenes and scaled latents (N, C, h, w), std 1."""
    scenes = [Scene(**scene) for scene in read_json(run / "latents.json")["scenes"]]
    return scenes, load_file(run / "latents.safetensors")["latents"].float()
