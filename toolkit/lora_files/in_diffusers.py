"""What diffusers does with a file of a plain LoRA: load it, raise, or go on without it.

Written down from ``load_lora_weights`` of diffusers 0.42.1 for Stable Diffusion 1.x;
tests/toolkit/lora_files/test_in_diffusers.py holds every sentence against diffusers itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .configs import layers_of
from .header import Entry
from .layout import PARTS, TEXT_ENCODER, UNET, Layout
from .memory import Lora
from .names import BARE_STARTS, parse_key
from .read import is_embedding

# conv_in, conv_out and the time embedding are known under both names; blocks are not.
ORIGINAL_BLOCKS: Final = re.compile(
    r"lora_unet_(?:input_blocks_(?!0_0)|output_blocks|middle_block)"
)

# How the tensors of each model may end; with other ends it fails while it renames them.
KNOWN_ENDS: Final = {
    UNET: re.compile(r"\.lora_[AB]\.weight$|\.lora\.(down|up)\.weight$|_lora\.(down|up)\.weight$"),
    TEXT_ENCODER: re.compile(
        r"\.lora_[AB]\.weight$|\.lora_linear_layer\.(down|up)\.weight$|_lora\.(down|up)\.weight$"
    ),
}

NOTHING: Final = "no: it finds no key and goes on"


def verdict(tensors: Mapping[str, Entry], lora: Lora, layout: Layout) -> str:
    """Return what diffusers does with a file, in a few words.

    Args:
        tensors: The file's names and shapes.
        lora: What they mean.
        layout: The base model's layers.
    """
    if lora.source == "peft":
        return f"{NOTHING}; load it with PEFT"
    keys = sorted(tensors)
    nameless = next((key for key in keys if "lora" not in key), None)
    if nameless is not None:
        return f"no: it raises, for {nameless!r:.80} has no `lora` in it; `convert` it"
    fault = _fault_of_kohya(keys) if lora.source == "kohya" else _fault_of_dots(keys)
    if fault is None and _has_other_dimensions(tensors, lora, layout):
        fault = "no: it raises, for factors have the other number of dimensions; `convert` it"
    if fault is None and lora.source == "kohya" and _mixes_up_alphas(lora):
        fault = "at a wrong strength: it mixes up alphas that differ; `convert` it"
    return fault or "yes"


def _fault_of_kohya(keys: list[str]) -> str | None:
    if any(key.startswith("lycoris_") for key in keys):
        return f"{NOTHING}; `convert` it"
    if any(ORIGINAL_BLOCKS.match(key) for key in keys):
        return "no: it takes original block names for others and raises or skips; `convert` it"
    return None


def _fault_of_dots(keys: list[str]) -> str | None:
    known = [key for key in keys if key.startswith(tuple(f"{part}." for part in PARTS))]
    if not known:
        bare = any(key.startswith(BARE_STARTS) for key in keys)
        way = "; `convert` it, or call unet.load_lora_adapter with prefix=None" if bare else ""
        return f"{NOTHING}{way or '; `convert` it'}"
    for key in known:
        if not KNOWN_ENDS[key.partition(".")[0]].search(key):
            return f"no: it raises over {key!r:.120}; `convert` it"
    if len(known) < len(keys):
        return f"partly: it ignores {len(keys) - len(known)} of {len(keys)} tensors; `convert` it"
    return None


def _has_other_dimensions(tensors: Mapping[str, Entry], lora: Lora, layout: Layout) -> bool:
    """Tell whether a factor is a matrix where the layer is a convolution, or the reverse.

    Reading mends that. diffusers builds the factors after the layer, and then they do not fit.
    """
    for key, entry in tensors.items():
        if is_embedding(key) or not lora.source:
            continue
        layer, piece = parse_key(key, lora.source, layout)
        if piece != "alpha" and len(entry.shape) != (4 if layout.layers[layer].is_conv else 2):
            return True
    return False


def _mixes_up_alphas(lora: Lora) -> bool:
    """Tell whether diffusers gives layers of a kohya file the wrong alpha (seen in 0.42.1).

    It takes the commonest alpha of each model for all of its layers, and the others by a layer's
    name; but the names it has for attention and text-encoder layers are none that exist.
    """
    for part in PARTS:
        layers = layers_of(lora, part)
        common = Lora(layers).alphas().most_common(2)
        if len(common) < 2:
            continue
        fragile = {x.alpha for n, x in layers.items() if part != UNET or ".attn" in n}
        if fragile and (fragile != {common[0][0]} or common[0][1] == common[1][1]):
            return True
    return False
