"""SD 1.x's layers under their original names, as in `.safetensors` checkpoints and A1111.

The original code (latent diffusion) counts the U-Net's blocks in one row: `input_blocks.1.0` is the
first ResNet, `input_blocks.1.1` the attention behind it. diffusers gave every layer a new name.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from .layout import TEXT_ENCODER, UNET, sd1_layout

# ResNets per level on the way down, plus the downsampler; on the way up one ResNet more.
BLOCKS_PER_LEVEL: Final = 3

RESNET: Final = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
OUTER: Final = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
}

CHECKPOINT_PREFIXES: Final = {
    UNET: "model.diffusion_model.",
    TEXT_ENCODER: "cond_stage_model.transformer.",
}


def ldm_name(name: str) -> str:
    """Return the original name of an SD 1.x U-Net layer, both without a prefix.

    Example:
        ``down_blocks.0.attentions.0.proj_in`` -> ``input_blocks.1.1.proj_in``
    """
    if name in OUTER:
        return OUTER[name]
    block, *rest = name.split(".")
    if block == "mid_block":
        kind, index, tail = rest[0], int(rest[1]), ".".join(rest[2:])
        if kind == "attentions":
            return f"middle_block.1.{tail}"
        return f"middle_block.{2 * index}.{RESNET[tail]}"
    level, kind, index, tail = int(rest[0]), rest[1], int(rest[2]), ".".join(rest[3:])
    if kind == "downsamplers":
        return f"input_blocks.{BLOCKS_PER_LEVEL * (level + 1)}.0.op"
    if kind == "upsamplers":
        # Behind the ResNet and the attention; the lowest level has no attention.
        place = 2 if level > 0 else 1
        return f"output_blocks.{BLOCKS_PER_LEVEL * level + 2}.{place}.conv"
    side, first = ("input_blocks", 1) if block == "down_blocks" else ("output_blocks", 0)
    number = first + BLOCKS_PER_LEVEL * level + index
    if kind == "attentions":
        return f"{side}.{number}.1.{tail}"
    return f"{side}.{number}.0.{RESNET[tail]}"


@cache
def unet_by_ldm_name() -> dict[str, str]:
    """Return original name -> diffusers name for the 282 layers of SD 1.x's U-Net."""
    prefix = f"{UNET}."
    names = [n.removeprefix(prefix) for n in sd1_layout().layers if n.startswith(prefix)]
    return {ldm_name(name): name for name in names}


def checkpoint_parameter(key: str) -> str | None:
    """Return the diffusers name of a parameter in a single-file checkpoint, or None.

    Args:
        key: For instance ``model.diffusion_model.input_blocks.1.1.proj_in.weight``.

    Returns:
        ``unet.down_blocks.0.attentions.0.proj_in.weight``; for layers that no LoRA holds (norms)
        the original name behind ``unet.``; None for keys of other models, such as the VAE.
    """
    for part, prefix in CHECKPOINT_PREFIXES.items():
        if not key.startswith(prefix):
            continue
        layer, _, parameter = key.removeprefix(prefix).rpartition(".")
        if part == UNET:
            layer = unet_by_ldm_name().get(layer, layer)
        return f"{part}.{layer}.{parameter}"
    return None
