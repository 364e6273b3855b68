"""Which keys ComfyUI and A1111 know, for a base of the SD 1.x family.

Neither can run in a test here, so their rules are written down once more, from their documentation
and behaviour. Both print what they do not know and go on: a file of which nothing is known loads
without an error and changes no picture.
"""

from __future__ import annotations

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
    """What may stand before a key's first dot: a layer's original or diffusers' name, underscored.

    A1111 lists the original names and translates the others by regular expressions. For the layers
    of SD 1.x what comes out is the table of `ldm`.
    """
    originals, text = list(unet_by_ldm_name()), _names(TEXT_ENCODER)
    names = {
        "lora_unet": [*originals, *_names(UNET)],
        "diffusion_model": originals,
        "lora_te": text,
        "lora_te1": text,
        "transformer": text,
    }
    return frozenset(
        f"{prefix}_{name.replace('.', '_')}" for prefix, found in names.items() for name in found
    )


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
    return name in _a1111_names()
