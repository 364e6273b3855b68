"""Name the family of a base by its configurations, before gigabytes are loaded. No torch.

The hub trains and draws with what Stable Diffusion 1.x and 2.x have: a U-Net of four latent
channels, one CLIP text encoder, an autoencoder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, NamedTuple

from toolkit.core.errors import BaseModelError, HubError
from toolkit.lora_files.header import read_header

LATENT_CHANNELS: Final = 4
FIRST_LAYER: Final = "model.diffusion_model.input_blocks.0.0.weight"


class Family(NamedTuple):
    """A kind of model that the hub does not train."""

    name: str
    advice: str


OTHER_SIZE = Family("SDXL", "SDXL has two text encoders and a U-Net of its own")
TRANSFORMER = "is a transformer, no U-Net"
# Channels of the U-Net's input -> what the others besides the latents are for.
BY_CHANNELS: Final = {
    7: Family("the upscaler of Stable Diffusion 2", "its U-Net also reads the small picture"),
    8: Family("InstructPix2Pix or a latent upscaler", "its U-Net also reads another picture"),
    9: Family("Stable Diffusion for inpainting", "its U-Net also reads a mask and what it hides"),
}
# Beginning of a pipeline's class in model_index.json.
BY_PIPELINE: Final = {
    "StableDiffusionXL": OTHER_SIZE,
    "StableDiffusion3": Family("Stable Diffusion 3", f"it {TRANSFORMER}"),
    "Flux": Family("Flux", f"it {TRANSFORMER}"),
    "PixArt": Family("PixArt", f"it {TRANSFORMER}"),
    "Sana": Family("Sana", f"it {TRANSFORMER}"),
    "QwenImage": Family("Qwen-Image", f"it {TRANSFORMER}"),
    "StableDiffusionInpaint": BY_CHANNELS[9],
    "StableDiffusionInstructPix2Pix": Family("InstructPix2Pix", BY_CHANNELS[8].advice),
    "StableDiffusionUpscale": BY_CHANNELS[7],
    "StableDiffusionLatentUpscale": Family("a latent upscaler", BY_CHANNELS[8].advice),
    "StableUnCLIP": Family("Stable unCLIP", "its U-Net also reads what a picture means"),
    "UnCLIP": Family("unCLIP", "its U-Net reads what a picture means, not latents"),
    "Kandinsky": Family("Kandinsky", "its U-Net reads what a picture means"),
    "StableCascade": Family("Stable Cascade", "it draws in three stages"),
    "IF": Family("DeepFloyd IF", "it draws pixels, not latents"),
}
# Beginning of a tensor's name in a single file.
BY_TENSOR: Final = {
    "conditioner.embedders.": OTHER_SIZE,
    "double_blocks.": BY_PIPELINE["Flux"],
    "model.diffusion_model.double_blocks.": BY_PIPELINE["Flux"],
    "model.diffusion_model.joint_blocks.": BY_PIPELINE["StableDiffusion3"],
    "lora_": Family("a LoRA, not a base model", "give it with --lora or --init"),
    "control_model.": Family("a ControlNet, not a base model", "it needs a base beside it"),
    "cond_stage_model.model.": Family(
        "Stable Diffusion 2.x", "as a single file it is not supported: give its diffusers folder"
    ),
}


def refuse_other_families(base: Path) -> None:
    """Refuse a base that the hub cannot train, by its name.

    What says nothing about itself passes: loading it says what is wrong.

    Args:
        base: A folder in diffusers layout, or a ``.safetensors`` file.

    Raises:
        BaseModelError: It is of another family; or the file is damaged.
    """
    family = family_of_folder(base) if base.is_dir() else family_of_file(base)
    if family is not None:
        raise BaseModelError(
            f"The base is {family.name}: {family.advice}.",
            where=str(base),
            fix="Give --base Stable Diffusion 1.x, such as CompVis/stable-diffusion-v1-4, or a "
            "model that was fine-tuned from it.",
        )


def family_of_folder(folder: Path) -> Family | None:
    """Return the family of a folder in diffusers layout, None for the hub's own."""
    index, unet = read_config(folder / "model_index.json"), read_config(folder / "unet/config.json")
    pipeline = str(index.get("_class_name", ""))
    # The longest beginning first: StableDiffusionXL is no StableDiffusion.
    for start in sorted(BY_PIPELINE, key=len, reverse=True):
        if pipeline.startswith(start):
            return BY_PIPELINE[start]
    channels = unet.get("in_channels", LATENT_CHANNELS)
    own = read_config(folder / "vae/config.json").get("latent_channels", LATENT_CHANNELS)
    if "text_encoder_2" in index or unet.get("addition_embed_type"):
        return OTHER_SIZE
    if "transformer" in index:
        return Family(pipeline or "another family", f"it {TRANSFORMER}")
    if unet.get("class_embed_type"):
        return BY_PIPELINE["StableUnCLIP"]
    if unet.get("time_cond_proj_dim"):
        return Family("a latent consistency model", "its U-Net also reads the guidance scale")
    return of_channels(channels, own)


def family_of_file(path: Path) -> Family | None:
    """Return the family of a checkpoint file, None for Stable Diffusion 1.x and the unknown.

    Raises:
        BaseModelError: The file is damaged.
    """
    try:
        shapes = {n: e.shape for n, e in read_header(path, size_limit=None).tensors.items()}
    except HubError as error:
        raise BaseModelError(error.what, where=error.where, fix=error.fix) from error
    for start, family in BY_TENSOR.items():
        if any(name.startswith(start) for name in shapes):
            return family
    first = shapes.get(FIRST_LAYER, ())
    return of_channels(first[1]) if len(first) > 1 else None


def of_channels(channels: Any, latent_channels: Any = LATENT_CHANNELS) -> Family | None:
    """Return the family whose U-Net reads so many channels.

    Args:
        channels: That the U-Net reads.
        latent_channels: That its own VAE writes; a U-Net that reads no more is an ordinary one.
    """
    if channels == latent_channels:
        return None
    other = Family(f"a model of {channels} input channels", "Stable Diffusion 1.x has four")
    return BY_CHANNELS.get(channels, other)


def read_config(path: Path) -> dict[str, Any]:
    """Return a configuration, or nothing: what is damaged is refused when it is loaded."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
