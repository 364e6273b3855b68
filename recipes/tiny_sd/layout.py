"""Write a pipeline folder that new and old tools read alike."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from .models import sampling_scheduler
from .tokenizer import build_tokenizer, save_tokenizer

TEXT_PREFIX = "text_model."


def save_pipeline(
    folder: Path,
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    merges: list[tuple[str, str]],
    dtype: torch.dtype = torch.float16,
) -> None:
    """Save the components in diffusers layout.

    Args:
        folder: Where ``model_index.json`` goes; made when missing.
        vae: Autoencoder whose latents have std 1 after multiplying with its scaling factor.
        unet: Noise predictor.
        text_encoder: Prompt encoder.
        merges: The tokenizer's merges.
        dtype: Type of the saved weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer(merges)
    pipeline = StableDiffusionPipeline(
        # torch's own `to`: that of diffusers warns of modules to keep in float32; there are none.
        vae=torch.nn.Module.to(vae, dtype=dtype),
        text_encoder=torch.nn.Module.to(text_encoder, dtype=dtype),
        tokenizer=tokenizer,
        unet=torch.nn.Module.to(unet, dtype=dtype),
        scheduler=sampling_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    save_tokenizer(tokenizer, merges, folder / "tokenizer")
    _prefix_text_keys(folder / "text_encoder" / "model.safetensors")
    # A DDIM scheduler made from this config would clip the latents otherwise.
    _set(folder / "scheduler" / "scheduler_config.json", clip_sample=False)
    # transformers loads the stored type by default, diffusers float32: a plain from_pretrained
    # would mix them.
    _set(folder / "text_encoder" / "config.json", dtype="float32")
    _forget_origin(folder / "vae" / "config.json")
    for path in folder.glob("*/*.safetensors"):
        path.chmod(0o644)


def _forget_origin(path: Path) -> None:
    """Take out the folder a component was loaded from: it is a path of the maker's machine."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _prefix_text_keys(path: Path) -> None:
    """Give the keys the ``text_model.`` prefix that transformers 5 drops and older tools need."""
    tensors = load_file(path)
    named = {
        key if key.startswith(TEXT_PREFIX) else TEXT_PREFIX + key: value.contiguous()
        for key, value in tensors.items()
        if not key.endswith(
            "position_ids"
        )  # a constant; SD 1.4's own file has it, no loader needs it
    }
    save_file(named, path, metadata={"format": "pt"})


def _set(path: Path, **values: object) -> None:
    """Change entries of a JSON configuration."""
    config = {**json.loads(path.read_text(encoding="utf-8")), **values}
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
