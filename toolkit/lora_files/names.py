"""Which layer a key of a LoRA file means, and how a layer is called in each format.

    kohya      lora_unet_mid_block_attentions_0_proj_in.lora_down.weight
    diffusers  unet.mid_block.attentions.0.proj_in.lora_A.weight
    PEFT       base_model.model.mid_block.attentions.0.proj_in.lora_A.weight
    ComfyUI    diffusion_model.middle_block.1.proj_in.lora_up.weight (read, never written)
    OneTrainer middle_block.1.proj_in.lora_A.weight (read, never written)
    in memory  unet.mid_block.attentions.0.proj_in

transformers 5.6 took `text_model` out of the text encoder's names. In memory and in kohya's and
diffusers' files it is always there: A1111 and ComfyUI know no other spelling.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from toolkit.core.errors import HubError

from .layout import TEXT_ENCODER, UNET, Layout
from .ldm import unet_by_ldm_name

Format = Literal["kohya", "diffusers", "peft"]
Source = Literal["kohya", "diffusers", "peft", "comfyui"]
Piece = Literal["down", "up", "alpha"]

# lora_te1_ is SDXL's prefix for the same text encoder; every loader takes it for SD 1.x too.
# lycoris_ is what LyCORIS writes outside kohya's trainer, before the names of either model.
LYCORIS_PREFIX: Final = "lycoris_"
KOHYA_PREFIXES: Final = {
    "lora_unet_": UNET,
    "lora_te_": TEXT_ENCODER,
    "lora_te1_": TEXT_ENCODER,
    LYCORIS_PREFIX: UNET,
}
# `unet.save_lora_adapter` and `unet.save_attn_procs` write the U-Net's own names.
BARE_STARTS: Final = (
    "conv_in.",
    "conv_out.",
    "time_embedding.",
    "down_blocks.",
    "mid_block.",
    "up_blocks.",
)
# What ComfyUI's node "Extract and Save Lora" puts before the original names.
COMFYUI_PREFIXES: Final = {
    "diffusion_model.": UNET,
    "text_encoders.clip_l.transformer.": TEXT_ENCODER,
}
# OneTrainer's "original" format has the original names with nothing before them.
ORIGINAL_STARTS: Final = (
    "input_blocks.",
    "middle_block.",
    "output_blocks.",
    "time_embed.",
    "out.2.",
)
PEFT_PREFIX: Final = "base_model.model."
TEXT_MODEL: Final = "text_model."

PIECES: Final[dict[str, Piece]] = {
    "lora_down.weight": "down",
    "lora_up.weight": "up",
    "alpha": "alpha",
    "lora_A.weight": "down",
    "lora_B.weight": "up",
    "lora.down.weight": "down",
    "lora.up.weight": "up",
    "lora_linear_layer.down.weight": "down",
    "lora_linear_layer.up.weight": "up",
}

# diffusers before 0.20 called the layers after the place where it kept them.
OLD_SPELLING: Final = re.compile(
    r"(?P<layer>.+?)\.(?:processor\.)?to_(?P<which>q|k|v|out)_lora\.(?P<piece>down|up)\.weight"
)
OLD_NAMES: Final = {
    UNET: {"q": "to_q", "k": "to_k", "v": "to_v", "out": "to_out.0"},
    TEXT_ENCODER: {"q": "q_proj", "k": "k_proj", "v": "v_proj", "out": "out_proj"},
}

# What other kinds of adapter put in a file. A LoRA's two factors cannot hold them.
FOREIGN: Final = {
    r"\.dora_scale": "DoRA",
    r"\.lora_magnitude_vector": "DoRA",
    r"\.hada_": "LoHa",
    r"\.lokr_": "LoKr",
    r"\.lora_mid": "LoCon with a Tucker core (lora_mid)",
    r"\.oft_": "OFT",
    r"\.on_input": "IA3",
    r"\.[wb]_norm$": "a trained norm layer",
    r"\.diff_b$": "a full difference of a bias",
    r"\.diff$": "a full difference of weights",
    r"\.[ab][12]\.weight$": "GLoRA",
    r"\.lambda_layer$|\.[pq]_layer\.weight$": "T-LoRA",
    r"\.lora_embedding_": "a LoRA of an embedding",
    r"\.lora_B\.bias$": "a LoRA with a bias",
    r"\.reshape_weight$": "a LoRA that reshapes its layer",
}


class Key(NamedTuple):
    """What one key of a file means: a layer, named as in memory, and which of its tensors."""

    layer: str
    piece: Piece


def foreign_kind(key: str) -> str | None:
    """Return the kind of adapter that a key betrays, when it is not LoRA."""
    return next((kind for mark, kind in FOREIGN.items() if re.search(mark, key)), None)


def guess_format(keys: list[str]) -> Source:
    """Tell the format of a file by its keys.

    Raises:
        HubError: The keys are of none of the known formats; the message shows one.
    """
    tests: dict[Source, tuple[str, ...]] = {
        "kohya": ("lora_unet_", "lora_te", LYCORIS_PREFIX),
        "diffusers": (f"{UNET}.", f"{TEXT_ENCODER}."),
        "peft": (PEFT_PREFIX,),
    }
    for name, prefixes in tests.items():
        if any(key.startswith(prefixes) for key in keys):
            return name
    # Whole models have these starts too.
    adapters = [key for key in keys if "lora" in key or foreign_kind(key)]
    if any(key.startswith(BARE_STARTS) for key in adapters):
        return "diffusers"
    if any(
        key.startswith(("diffusion_model.", "text_encoders.", *ORIGINAL_STARTS)) for key in adapters
    ):
        return "comfyui"
    first = f", but {min(keys)!r:.120}" if keys else " and no tensor at all"
    raise HubError(
        f"This is no LoRA of Stable Diffusion 1.x: it has no key that begins with lora_unet_, "
        f"lora_te_, unet. or text_encoder.{first}.",
        fix="LoRAs of other models (SDXL, Flux) and whole models cannot be read here.",
    )


def parse_key(key: str, form: Source, layout: Layout, *, peft_part: str = UNET) -> Key:
    """Return what a key means.

    Args:
        key: A tensor's name in the file.
        form: The file's format.
        layout: The layers that exist.
        peft_part: For PEFT's folders, which do not say it: the part that the folder adapts.

    Raises:
        HubError: Another kind of adapter, a layer that does not exist, or an unknown tensor.
    """
    kind = foreign_kind(key)
    if kind is not None:
        raise HubError(
            f"The file holds {kind} ({key!r:.120}), not a plain LoRA.",
            fix="Merge it into its base with the program that made it, then `extract` a LoRA from "
            "the two models; left out here, the rest would be something else.",
        )
    if form == "kohya":
        return _parse_kohya(key, layout)
    part, dotted = _split_part(key, form, peft_part)
    old = OLD_SPELLING.fullmatch(dotted)
    if old is not None:
        layer = f"{old['layer']}.{OLD_NAMES[part][old['which']]}"
        piece: Piece = "down" if old["piece"] == "down" else "up"
        return Key(_existing(part, layer, key, layout), piece)
    for ending, piece in PIECES.items():
        layer = dotted.removesuffix(f".{ending}")
        if layer == dotted or (piece == "alpha" and form == "peft"):
            continue
        if form == "comfyui" and part == UNET:
            layer = unet_by_ldm_name().get(layer, layer)
        return Key(_existing(part, layer, key, layout), piece)
    raise _unknown(key, form)


def _split_part(key: str, form: Source, peft_part: str) -> tuple[str, str]:
    """Return the part that a key with dots is of, and the rest of it."""
    if form == "peft" and key.startswith(PEFT_PREFIX):
        return peft_part, key.removeprefix(PEFT_PREFIX)
    if form == "comfyui":
        for prefix, part in COMFYUI_PREFIXES.items():
            if key.startswith(prefix):
                return part, key.removeprefix(prefix)
        if key.startswith(ORIGINAL_STARTS):
            return UNET, key
    if form == "diffusers":
        part, dot, rest = key.partition(".")
        if dot and part in (UNET, TEXT_ENCODER):
            return part, rest
        if key.startswith(BARE_STARTS):
            return UNET, key
    raise _unknown(key, form)


def _parse_kohya(key: str, layout: Layout) -> Key:
    flat, _, ending = key.partition(".")
    if flat.startswith("lora_te2_"):
        raise HubError(
            f"The file is for SDXL: {key!r:.120} is of its second text encoder.",
            fix="Only LoRAs of Stable Diffusion 1.x can be read here.",
        )
    prefix = next((p for p in KOHYA_PREFIXES if flat.startswith(p)), None)
    if prefix is None or ending not in ("lora_down.weight", "lora_up.weight", "alpha"):
        raise _unknown(key, "kohya")
    part, name = KOHYA_PREFIXES[prefix], flat.removeprefix(prefix)
    if prefix == LYCORIS_PREFIX and name.startswith(("text_model_", "encoder_layers_")):
        part = TEXT_ENCODER
    if part == TEXT_ENCODER and not name.startswith("text_model_"):
        name = f"text_model_{name}"
    layer = layout.by_underscores.get(f"{part}_{name}")
    if layer is None and part == UNET:
        layer = _by_original_name(name, layout)
    if layer is None:
        raise _no_layer(key)
    return Key(layer, PIECES[ending])


def _by_original_name(flat: str, layout: Layout) -> str | None:
    """Resolve `input_blocks_1_1_proj_in`, which some trainers write for SD 1.x too."""
    originals = {ldm.replace(".", "_"): name for ldm, name in unet_by_ldm_name().items()}
    layer = f"{UNET}.{originals.get(flat, '')}"
    return layer if layer in layout.layers else None


def _existing(part: str, layer: str, key: str, layout: Layout) -> str:
    if part == TEXT_ENCODER and not layer.startswith(TEXT_MODEL):
        layer = TEXT_MODEL + layer
    full = f"{part}.{layer}"
    if full not in layout.layers:
        raise _no_layer(key)
    return full


def _no_layer(key: str) -> HubError:
    return HubError(
        f"The base model has no layer for the key {key!r:.160}{hint_of(key)}.",
        fix="Stable Diffusion 1.x is assumed; give the folder of another base with --base.",
    )


def _unknown(key: str, form: Source) -> HubError:
    return HubError(
        f"The key {key!r:.160} means nothing in {form} format.",
        fix="Nothing is left out silently: remove this tensor, or convert with the program that "
        "wrote it.",
    )


def kohya_name(layer: str) -> str:
    """Return kohya's name of a layer, without the tensor's part."""
    part, _, name = layer.partition(".")
    prefix = "lora_unet_" if part == UNET else "lora_te_"
    return prefix + name.replace(".", "_")


def diffusers_name(layer: str) -> str:
    """Return diffusers' name of a layer: the one in memory, `text_model` included.

    diffusers takes `text_model` off when the installed text encoder has none, never the reverse.
    """
    return layer


def peft_name(layer: str, *, flat_text_encoder: bool) -> str:
    """Return PEFT's name of a layer, which must be that of the installed library's module.

    Args:
        layer: As in memory.
        flat_text_encoder: Whether transformers' text encoder has no `text_model` (from 5.6 on).
    """
    _, _, name = layer.partition(".")
    return PEFT_PREFIX + (name.removeprefix(TEXT_MODEL) if flat_text_encoder else name)


SD1, SD2, SDXL = "Stable Diffusion 1.x", "Stable Diffusion 2.x", "SDXL"


# Layers that only larger models have, in the spelling of any format.
TELLING: Final = {
    r"transformer_blocks[._][1-9]": SDXL,
    r"text_encoder_2[._]|clip_g|label_emb|add_embedding": SDXL,
    r"encoder[._]layers[._](1[2-9]|2\d)[._]": f"{SD2} or {SDXL}",
    r"double_blocks|single_blocks|single_transformer_blocks": "Flux",
    r"joint_blocks": "Stable Diffusion 3",
}


def hint_of(key: str) -> str:
    """Return `: it is of SDXL` for a key that only such a model has, otherwise nothing."""
    found = (name for mark, name in TELLING.items() if re.search(mark, key))
    return next((f": it is of {name}" for name in found), "")
