"""Which keys ComfyUI and A1111 know, for a base of the SD 1.x family.

Neither can run in a test here, so their rules are written down once more, from their documentation
and behaviour. Both print what they do not know and go on: a file of which nothing is known loads
without an error and changes no picture.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from .layout import TEXT_ENCODER, UNET, sd1_layout
from .ldm import unet_by_ldm_name

LORA_ENDINGS: Final = (
    ".lora_up.weight",
    ".lora_down.weight",
    ".lora_mid.weight",
    "_lora.up.weight",
    "_lora.down.weight",
    ".lora_B.weight",
    ".lora_A.weight",
    ".lora.up.weight",
    ".lora.down.weight",
    ".lora_linear_layer.up.weight",
    ".lora_linear_layer.down.weight",
    ".alpha",
)

# Between a number and what follows there is an underscore: `blocks_1_` is not `blocks_10_`.
A1111_BLOCKS: Final = (
    (re.compile(r"conv_in"), "input_blocks_0_0"),
    (re.compile(r"conv_out"), "out_2"),
    (re.compile(r"time_embedding_linear_1"), "time_embed_0"),
    (re.compile(r"time_embedding_linear_2"), "time_embed_2"),
)
A1111_RESNET: Final = {
    "conv1": "in_layers_2",
    "conv2": "out_layers_3",
    "time_emb_proj": "emb_layers_1",
    "conv_shortcut": "skip_connection",
}
A1111_SIDE: Final = re.compile(r"(down|up)_blocks_(\d+)_(attentions|resnets)_(\d+)_(.+)")
A1111_MIDDLE: Final = re.compile(r"mid_block_(attentions|resnets)_(\d+)_(.+)")
A1111_SAMPLER: Final = re.compile(r"(down|up)_blocks_(\d+)_(?:down|up)samplers_0_conv")
A1111_TEXT: Final = re.compile(r"lora_te1?_(text_model_encoder_layers_\d+_.+)")


def _names(part: str) -> list[str]:
    prefix = f"{part}."
    return [n.removeprefix(prefix) for n in sd1_layout().layers if n.startswith(prefix)]


@cache
def _comfyui_names() -> frozenset[str]:
    """Build what ComfyUI builds when it loads an SD 1.x model: every name it will look for."""
    names = set()
    for original in unet_by_ldm_name():
        names |= {f"lora_unet_{original.replace('.', '_')}", f"diffusion_model.{original}"}
    for name in _names(UNET):
        flat = name.replace(".", "_")
        names |= {f"lora_unet_{flat}", f"lycoris_{flat}"}
        # With dots only the spelling of diffusers before 0.20: `attn1.processor.to_q`.
        old = name.replace(".to_", ".processor.to_")
        if old.endswith(".to_out.0"):
            old = old.removesuffix(".0")
        names |= {old, f"unet.{old}"}
    for name in _names(TEXT_ENCODER):
        flat = name.replace(".", "_")
        names |= {f"lora_te_{flat}", f"lora_te1_{flat}", f"text_encoder.{name}"}
        names.add(f"text_encoders.clip_l.transformer.{name}")
    return frozenset(names)


def accepted_by_comfyui(key: str) -> bool:
    """Tell whether ComfyUI uses a tensor of this name ("lora key not loaded" if not)."""
    known = _comfyui_names()
    return any(
        key.endswith(ending) and key.removesuffix(ending) in known for ending in LORA_ENDINGS
    )


@cache
def _a1111_names() -> frozenset[str]:
    """The layers of the original SD 1.x code, with underscores, as A1111 lists them."""
    unet = {f"diffusion_model_{name.replace('.', '_')}" for name in unet_by_ldm_name()}
    text = {f"transformer_{name.replace('.', '_')}" for name in _names(TEXT_ENCODER)}
    return frozenset(unet | text)


def _a1111_translation(name: str) -> str:
    """Translate diffusers' name into the original one, as A1111 does it: by regular expressions."""
    text = A1111_TEXT.fullmatch(name)
    if text is not None:
        return f"transformer_{text[1]}"
    if not name.startswith("lora_unet_"):
        return name
    name = name.removeprefix("lora_unet_")
    for pattern, original in A1111_BLOCKS:
        if pattern.fullmatch(name):
            return f"diffusion_model_{original}"
    if match := A1111_SIDE.fullmatch(name):
        direction, level, kind, index, rest = match.groups()
        down = direction == "down"
        number = int(down) + 3 * int(level) + int(index)
        rest = A1111_RESNET.get(rest, rest) if kind == "resnets" else rest
        side, place = "input" if down else "output", int(kind == "attentions")
        return f"diffusion_model_{side}_blocks_{number}_{place}_{rest}"
    if match := A1111_MIDDLE.fullmatch(name):
        kind, index, rest = match.groups()
        if kind == "attentions":
            return f"diffusion_model_middle_block_1_{rest}"
        return f"diffusion_model_middle_block_{2 * int(index)}_{A1111_RESNET.get(rest, rest)}"
    if match := A1111_SAMPLER.fullmatch(name):
        level = int(match[2])
        if match[1] == "down":
            return f"diffusion_model_input_blocks_{3 + 3 * level}_0_op"
        return f"diffusion_model_output_blocks_{2 + 3 * level}_{2 if level else 1}_conv"
    # Names that are the original ones already only lack the prefix.
    return f"diffusion_model_{name}"


def accepted_by_a1111(key: str) -> bool:
    """Tell whether AUTOMATIC1111's web UI uses a tensor of this name.

    It cuts the key at the first dot: what is before must be a layer's name with underscores.
    Trained words beside the LoRA are the exception.
    """
    if key.startswith("bundle_emb."):
        return True
    name, _, piece = key.partition(".")
    if piece not in ("lora_up.weight", "lora_down.weight", "lora_mid.weight", "alpha"):
        return False
    return _a1111_translation(name) in _a1111_names()
