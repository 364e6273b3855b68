"""Read a LoRA from a file or folder of any of the three formats.

The header is checked first, then each name, then shapes and values. What cannot be understood is
refused with its name and never left out: a LoRA without some of its tensors is another LoRA.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from toolkit.core.errors import HubError

from .configs import FOLDED, FOLDED_KEY, HEADER_KEY, AlphaRule, parse_config, parse_header_entry
from .header import FLOATS, INTEGERS, PICKLE_SUFFIXES, Header, read_header
from .layout import PARTS, TEXT_ENCODER, UNET, Layout, sd1_layout
from .memory import Lora, LoraLayer, assemble_layer
from .names import PEFT_PREFIX, TEXT_MODEL, Source, guess_format, parse_key

PEFT_CONFIG: Final = "adapter_config.json"
PEFT_TENSORS: Final = "adapter_model.safetensors"
DIFFUSERS_FILE: Final = "pytorch_lora_weights.safetensors"
EMBEDDING_PREFIX: Final = "bundle_emb."


def read_lora(path: Path, layout: Layout | None = None, *, check_values: bool = True) -> Lora:
    """Read a LoRA: a .safetensors file, a folder of PEFT's, or one with diffusers' usual file.

    Args:
        path: File or folder.
        layout: The base model's layers; None means Stable Diffusion 1.x.
        check_values: Refuse NaN and infinity. Off only to look at a damaged file.

    Returns:
        The LoRA, in float32.

    Raises:
        HubError: Everything that can be wrong with a stranger's file, with the key at fault.
    """
    layout = layout or sd1_layout()
    try:
        if path.is_dir():
            return _read_folder(path, layout, check_values)
        header = read_header(path)
        form = guess_format(list(header.tensors))
        if form == "peft":
            raise HubError(
                f"The tensors are PEFT's; their strength is in {PEFT_CONFIG}, beside this file.",
                fix="Give the folder instead of the file.",
            )
        rules = None
        if form == "diffusers" and HEADER_KEY in header.metadata:
            rules = parse_header_entry(header.metadata[HEADER_KEY])
        return _read_tensors(path, header, form, layout, rules, check_values)
    except HubError as error:
        if error.where is None:
            error.where = str(path)
        raise


def _read_folder(folder: Path, layout: Layout, check_values: bool) -> Lora:
    if (folder / PEFT_CONFIG).is_file():
        return _read_peft(folder, None, layout, check_values)
    parts = {p: folder / p for p in PARTS if (folder / p / PEFT_CONFIG).is_file()}
    if parts:
        loras = [_read_peft(path, p, layout, check_values) for p, path in parts.items()]
        return Lora(
            {name: layer for lora in loras for name, layer in lora.layers.items()},
            {key: text for lora in loras for key, text in lora.metadata.items()},
            "peft",
            tuple(sorted({d for lora in loras for d in lora.dtypes})),
        )
    if (folder / DIFFUSERS_FILE).is_file():
        return read_lora(folder / DIFFUSERS_FILE, layout, check_values=check_values)
    raise HubError(
        f"The folder has no {PEFT_CONFIG} (its own, or in unet/ and text_encoder/) and no "
        f"{DIFFUSERS_FILE}.",
        where=str(folder),
        fix="Name the file itself.",
    )


def _read_peft(folder: Path, part: str | None, layout: Layout, check_values: bool) -> Lora:
    try:
        config = json.loads((folder / PEFT_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise HubError(
            f"{PEFT_CONFIG} cannot be read: {str(error)[:80]}", where=str(folder)
        ) from error
    try:
        rule = parse_config(config)
    except HubError as error:
        error.where = str(folder / PEFT_CONFIG)
        raise
    path = folder / PEFT_TENSORS
    if not path.is_file():
        old = next((p for s in PICKLE_SUFFIXES for p in [path.with_suffix(s)] if p.is_file()), path)
        path = old
    header = read_header(path)
    if part is None:
        part = _guess_peft_part(list(header.tensors))
    return _read_tensors(path, header, "peft", layout, {part: rule}, check_values)


def _guess_peft_part(keys: list[str]) -> str:
    """Tell by its layers' names which of the two models a folder without a name adapts."""
    first = min(keys, default="").removeprefix(PEFT_PREFIX).removeprefix(TEXT_MODEL)
    return TEXT_ENCODER if first.startswith("encoder.layers.") else UNET


def _read_tensors(
    path: Path,
    header: Header,
    form: Source,
    layout: Layout,
    rules: dict[str, AlphaRule] | None,
    check_values: bool,
) -> Lora:
    """Read the tensors of one file.

    Args:
        path: The file.
        header: Its checked header.
        form: Its format.
        layout: The layers that exist.
        rules: Where alpha is said outside the tensors: part -> rule. None: it is not.
        check_values: Refuse NaN and infinity.
    """
    peft_part = next(iter(rules)) if form == "peft" and rules else UNET
    found: dict[str, dict[str, str]] = {}
    embeddings = [key for key in header.tensors if is_embedding(key)]
    for key, entry in header.tensors.items():
        if key in embeddings:
            continue
        layer, piece = parse_key(key, form, layout, peft_part=peft_part)
        # Alpha is a number, and some programs write it as a whole one.
        allowed = FLOATS + INTEGERS if piece == "alpha" else FLOATS
        if entry.dtype not in allowed:
            raise HubError(f"{key!r} is of type {entry.dtype}; a LoRA has {', '.join(FLOATS)}.")
        if piece in found.setdefault(layer, {}):
            raise HubError(f"Two tensors mean the same: {found[layer][piece]!r} and {key!r}.")
        found[layer][piece] = key
    for layer, pieces in found.items():
        for piece in ("down", "up"):
            if piece not in pieces:
                raise HubError(f"{layer} has no {piece!r} factor, only {sorted(pieces.values())}.")
    try:
        with safe_open(path, framework="pt") as file:
            layers = {
                layer: _read_layer(file, layer, pieces, layout, rules, check_values)
                for layer, pieces in found.items()
            }
            words = {key: file.get_tensor(key) for key in embeddings}
    except (SafetensorError, OSError) as error:
        raise HubError(f"The tensors cannot be read: {error}") from error
    stated = rules is not None or all("alpha" in pieces for pieces in found.values())
    stated = stated or header.metadata.get(FOLDED_KEY) == FOLDED
    factors = [p[piece] for p in found.values() for piece in ("down", "up")]
    dtypes = tuple(sorted({header.tensors[key].dtype for key in factors}))
    return Lora(layers, header.metadata, form, dtypes, alpha_stated=stated, embeddings=words)


def is_embedding(key: str) -> bool:
    """Tell whether a key is of a trained word in the same file, as OneTrainer bundles them."""
    return key.startswith(EMBEDDING_PREFIX) and key.count(".") > 1


def _read_layer(
    file: safe_open,
    layer: str,
    pieces: dict[str, str],
    layout: Layout,
    rules: dict[str, AlphaRule] | None,
    check_values: bool,
) -> LoraLayer:
    tensors = {}
    for piece, key in pieces.items():
        tensor: Tensor = file.get_tensor(key).float()  # type: ignore[no-untyped-call]
        if check_values and not torch.isfinite(tensor).all():
            raise HubError(
                f"{key!r} holds NaN or infinity.",
                fix="The training broke (often: too high a learning rate, or float16). Take an "
                "earlier file of it.",
            )
        tensors[piece] = tensor
    rank = tensors["down"].shape[0] if tensors["down"].ndim else 0
    alpha = float(rank)
    if "alpha" in tensors:
        if tensors["alpha"].numel() != 1:
            raise HubError(f"{pieces['alpha']!r} is not one number.")
        alpha = float(tensors["alpha"])
    rule = (rules or {}).get(layer.partition(".")[0])
    if rule is not None:
        stated = rule.alpha_of(layer, rank)
        if "alpha" in tensors and alpha != stated:
            raise HubError(
                f"The alpha of {layer} is {alpha:g} in its tensor and {stated:g} in the header."
            )
        alpha = stated
    shaped = assemble_layer(layer, tensors["down"], tensors["up"], alpha, layout.layers[layer])
    if check_values and not math.isfinite(shaped.alpha):
        raise HubError(f"The alpha of {layer} is {shaped.alpha}.")
    return shaped
