"""The layers that a LoRA can sit beside, by name and shape, computed from a model's configuration.

A kohya key has underscores where the layer's name has dots, and some names have underscores of
their own: only the list of all layers tells `to_out_0` (`to_out.0`) from `attn1_to_q`
(`attn1.to_q`). The list follows from the configuration alone; no model is built and no torch woken.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from toolkit.core.errors import HubError

UNET: Final = "unet"
TEXT_ENCODER: Final = "text_encoder"
PARTS: Final = (UNET, TEXT_ENCODER)

# What Stable Diffusion 1.1 to 1.5 say in unet/config.json and text_encoder/config.json.
SD1_UNET: Final[dict[str, Any]] = {
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "cross_attention_dim": 768,
}
SD1_TEXT_ENCODER: Final[dict[str, Any]] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
}

# Options that add or change layers in a way this file does not follow.
UNKNOWN_OPTIONS: Final = (
    "addition_embed_type",
    "class_embed_type",
    "dual_cross_attention",
    "encoder_hid_dim_type",
    "num_class_embeds",
    "time_embedding_dim",
)


@dataclass(frozen=True)
class LayerShape:
    """The weight of one layer: (out, in) when linear, (out, in, kernel, kernel) when not."""

    out_features: int
    in_features: int
    kernel: int = 0

    @property
    def is_conv(self) -> bool:
        """Whether the layer is a convolution: its weights are 4-D, with a 1x1 kernel too."""
        return self.kernel > 0


@dataclass(frozen=True)
class Layout:
    """All layers of one kind of model.

    Args:
        layers: Dotted name, beginning with the part (`unet.` or `text_encoder.text_model.`), to
            shape. The text encoder's names have `text_model` whatever transformers calls it.
        by_underscores: The same names with underscores, as kohya writes them -> dotted name.
    """

    layers: dict[str, LayerShape]
    by_underscores: dict[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        table: dict[str, str] = {}
        for name in self.layers:
            flat = name.replace(".", "_")
            if flat in table:
                raise HubError(f"Two layers are {flat!r} in kohya's format: {table[flat]}, {name}.")
            table[flat] = name
        object.__setattr__(self, "by_underscores", table)


def unet_layers(config: dict[str, Any]) -> dict[str, LayerShape]:
    """Return the linear and convolution layers of a UNet2DConditionModel of SD's kind.

    Args:
        config: What its config.json says.

    Raises:
        HubError: A block or option that is not in SD 1.x; the message names it.
    """
    _refuse_unknown(config)
    widths, depth = list(config["block_out_channels"]), int(config["layers_per_block"])
    downs, ups = config["down_block_types"], config["up_block_types"]
    embedding = 4 * widths[0]
    layers = {
        "conv_in": LayerShape(widths[0], int(config["in_channels"]), 3),
        "time_embedding.linear_1": LayerShape(embedding, widths[0]),
        "time_embedding.linear_2": LayerShape(embedding, embedding),
        "conv_out": LayerShape(int(config["out_channels"]), widths[0], 3),
    }
    width = widths[0]
    for level, kind in enumerate(downs):
        block = f"down_blocks.{level}"
        for index in range(depth):
            layers |= _resnet(f"{block}.resnets.{index}", width, widths[level], embedding)
            width = widths[level]
            if kind == "CrossAttnDownBlock2D":
                layers |= _transformer(f"{block}.attentions.{index}", width, config)
        if level + 1 < len(downs):
            layers[f"{block}.downsamplers.0.conv"] = LayerShape(width, width, 3)
    for index in range(2):
        layers |= _resnet(f"mid_block.resnets.{index}", width, width, embedding)
    layers |= _transformer("mid_block.attentions.0", width, config)

    # On its way up each ResNet also sees the output of its counterpart on the way down.
    backwards = widths[::-1]
    for level, kind in enumerate(ups):
        block, out = f"up_blocks.{level}", backwards[level]
        below = backwards[min(level + 1, len(widths) - 1)]
        for index in range(depth + 1):
            skipped = below if index == depth else out
            layers |= _resnet(f"{block}.resnets.{index}", width + skipped, out, embedding)
            width = out
            if kind == "CrossAttnUpBlock2D":
                layers |= _transformer(f"{block}.attentions.{index}", width, config)
        if level + 1 < len(ups):
            layers[f"{block}.upsamplers.0.conv"] = LayerShape(width, width, 3)
    return layers


def _refuse_unknown(config: dict[str, Any]) -> None:
    known = {"CrossAttnDownBlock2D", "DownBlock2D", "UpBlock2D", "CrossAttnUpBlock2D"}
    for block in [*config["down_block_types"], *config["up_block_types"]]:
        if block not in known:
            raise HubError(f"The U-Net has blocks of kind {block!r}; SD 1.x has {sorted(known)}.")
    for option in UNKNOWN_OPTIONS:
        if config.get(option):
            raise HubError(f"The U-Net sets {option!r}, which no SD 1.x model does.")
    for option in ("layers_per_block", "cross_attention_dim"):
        if not isinstance(config[option], int):
            raise HubError(f"The U-Net's {option!r} is {config[option]!r}; SD 1.x has one number.")
    if config.get("transformer_layers_per_block", 1) != 1:
        raise HubError("The U-Net has several Transformer blocks in a row; SD 1.x has one.")
    if config.get("mid_block_type", "UNetMidBlock2DCrossAttn") != "UNetMidBlock2DCrossAttn":
        raise HubError(f"The U-Net's middle is a {config['mid_block_type']!r}, unlike SD 1.x.")


def _resnet(name: str, width: int, out: int, embedding: int) -> dict[str, LayerShape]:
    layers = {
        f"{name}.conv1": LayerShape(out, width, 3),
        f"{name}.time_emb_proj": LayerShape(out, embedding),
        f"{name}.conv2": LayerShape(out, out, 3),
    }
    if width != out:
        layers[f"{name}.conv_shortcut"] = LayerShape(out, width, 1)
    return layers


def _transformer(name: str, width: int, config: dict[str, Any]) -> dict[str, LayerShape]:
    text = int(config["cross_attention_dim"])
    # SD 1.x projects with 1x1 convolutions, SD 2.x with linear layers.
    kernel = 0 if config.get("use_linear_projection") else 1
    block = f"{name}.transformer_blocks.0"
    return {
        f"{name}.proj_in": LayerShape(width, width, kernel),
        **{f"{block}.attn1.{part}": LayerShape(width, width) for part in ("to_q", "to_k", "to_v")},
        f"{block}.attn1.to_out.0": LayerShape(width, width),
        f"{block}.attn2.to_q": LayerShape(width, width),
        f"{block}.attn2.to_k": LayerShape(width, text),
        f"{block}.attn2.to_v": LayerShape(width, text),
        f"{block}.attn2.to_out.0": LayerShape(width, width),
        # Twice 4 * width: GEGLU multiplies one half with the gate of the other.
        f"{block}.ff.net.0.proj": LayerShape(8 * width, width),
        f"{block}.ff.net.2": LayerShape(width, 4 * width),
        f"{name}.proj_out": LayerShape(width, width, kernel),
    }


def text_encoder_layers(config: dict[str, Any]) -> dict[str, LayerShape]:
    """Return the linear layers of a CLIP text encoder, named as with `text_model`."""
    width, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    layers = {}
    for index in range(int(config["num_hidden_layers"])):
        layer = f"text_model.encoder.layers.{index}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            layers[f"{layer}.self_attn.{part}"] = LayerShape(width, width)
        layers[f"{layer}.mlp.fc1"] = LayerShape(inner, width)
        layers[f"{layer}.mlp.fc2"] = LayerShape(width, inner)
    return layers


def build_layout(unet: dict[str, Any], text_encoder: dict[str, Any]) -> Layout:
    """Return the layout of a model with these two configurations."""
    return Layout(
        {f"{UNET}.{name}": shape for name, shape in unet_layers(unet).items()}
        | {f"{TEXT_ENCODER}.{name}": s for name, s in text_encoder_layers(text_encoder).items()}
    )


@cache
def sd1_layout() -> Layout:
    """Return the layout of Stable Diffusion 1.x: 282 layers in the U-Net, 72 in the encoder."""
    return build_layout(SD1_UNET, SD1_TEXT_ENCODER)


def read_layout(folder: Path) -> Layout:
    """Return the layout of a local base model in diffusers' folder form.

    Raises:
        HubError: A config.json is missing, no JSON, or not of SD 1.x's kind.
    """
    configs = []
    for part in PARTS:
        path = folder / part / "config.json"
        try:
            configs.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise HubError(
                f"The base model's {part}/config.json cannot be read: {error}",
                where=str(folder),
                fix="Give the folder of a diffusers model, such as models/tiny-sd.",
            ) from error
    try:
        return build_layout(*configs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HubError(
            f"The base model's configuration is not one of SD 1.x's kind: {error!r}",
            where=str(folder),
        ) from error
