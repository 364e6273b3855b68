"""Stage "adopt": turn a landed model folder back into a run, to go on training from its weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

from .export import PROVENANCE
from .files import read_json, write_json
from .settings import Recipe
from .training import TrainState


def adopt(recipe: Recipe, run: Path, folder: Path) -> None:
    """Write ``vae/``, ``tokenizer/`` and ``unet.safetensors`` into `run` from a model.

    The optimiser's moments are not in a model, so the first steps are taken with fresh ones; the
    step count goes on.

    Args:
        recipe: Settings of the run; its batch sizes turn samples into steps.
        run: Folder of the run; needs no checkpoint.
        folder: Model in diffusers layout.

    Raises:
        SystemExit: The run has a checkpoint of its own, which is worth more than the model, or
            the model is of another shape.
    """
    checkpoint = run / "unet.safetensors"
    if checkpoint.exists():
        raise SystemExit(
            f"{checkpoint} is there already.\n  Fix: go on from it, or take another --run."
        )
    training = read_json(folder / PROVENANCE)
    channels = read_json(folder / "unet" / "config.json")["in_channels"]
    if channels != recipe.unet.latent_channels:
        raise SystemExit(
            f"{folder} has {channels} latent channels, this recipe {recipe.unet.latent_channels}.\n"
            "  Fix: go back to the recipe that made it (`git log models/tiny-sd`), or start anew."
        )
    vae = AutoencoderKL.from_pretrained(folder / "vae", dtype=torch.float32)
    vae.save_pretrained(run / "vae")
    steps = {
        "steps": training["vae_pictures"] // recipe.vae.batch_size,
        "decoder_steps": training["decoder_pictures"] // recipe.vae.batch_size,
    }
    write_json(run / "vae.json", steps)
    shutil.copytree(folder / "tokenizer", run / "tokenizer", dirs_exist_ok=True)
    modules = {
        "unet": UNet2DConditionModel.from_pretrained(folder / "unet", dtype=torch.float32),
        "text_encoder": CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32),
    }
    state = TrainState(dict(modules))
    state.step = training["unet_samples"] // recipe.unet.batch_size
    state.save(checkpoint)
