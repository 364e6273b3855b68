"""What ComfyUI, Forge and A1111 have in common: the original names of the U-Net's layers."""

from __future__ import annotations

from typing import Final

from toolkit.lora_files.layout import UNET
from toolkit.lora_files.ldm import ldm_name

# ComfyUI's and Forge's own configuration of SD 1.x, as far as its names go.
UNET_CONFIG: Final = {
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "transformer_depth_middle": 1,
}


def comfyui_key(name: str) -> str:
    """Return the name of a layer's weight inside ComfyUI and Forge."""
    part, _, path = name.partition(".")
    if part == UNET:
        return f"diffusion_model.{ldm_name(path)}.weight"
    return f"clip_l.transformer.{path}.weight"


def a1111_name(name: str) -> str:
    """Return A1111's name of a layer of an SD 1.x model."""
    part, _, path = name.partition(".")
    where = f"diffusion_model.{ldm_name(path)}" if part == UNET else f"transformer.{path}"
    return where.replace(".", "_")
