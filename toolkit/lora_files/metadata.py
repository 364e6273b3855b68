"""What a kohya file says about itself, and its hashes.

    ss_*         kohya's trainer: A1111 reads base version, rank, tags and alias from it
    sshs_*       hashes of the tensors: A1111 and model sites recognise a LoRA by them
    modelspec.*  Stability's ModelSpec 1.0.1: title, architecture, hash
    hub.*        this project's own

All values are text. A1111 treats a file without any as of unknown version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from safetensors.torch import save
from torch import Tensor

from .configs import FOLDED_KEY, HEADER_KEY, layers_of
from .layout import PARTS
from .memory import Lora

# The old hash looks at 64 KiB from the first MiB on, header included.
LEGACY_START, LEGACY_END = 0x100000, 0x110000

# Entries about the tensors of the file they were in: in any other one they must be made anew.
STALE: Final = (
    HEADER_KEY,
    FOLDED_KEY,
    "sshs_model_hash",
    "sshs_legacy_hash",
    "modelspec.hash_sha256",
    "ss_network_dim",
    "ss_network_alpha",
    "ss_network_args",
)


def pack(tensors: dict[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return a safetensors file whose bytes are the same each time.

    The library orders the metadata by a hash that changes from run to run. Sorting the header
    afterwards cures it: the length stays, and so does the place of every tensor.
    """
    file: bytes = save(tensors, metadata=dict(metadata))
    length = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + length])
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    padded = text.encode().ljust(-(-len(text.encode()) // 8) * 8)
    return len(padded).to_bytes(8, "little") + padded + file[8 + length :]


def body_hash(file: bytes) -> str:
    """Return the SHA-256 of a file's tensors: everything behind the header."""
    return hashlib.sha256(file[8 + int.from_bytes(file[:8], "little") :]).hexdigest()


def hashes(tensors: dict[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the three hashes as kohya's trainer and ModelSpec define them.

    Args:
        tensors: What the file will hold.
        metadata: What it will say; only ``ss_*`` counts, so that later notes do not change them.
    """
    file = pack(tensors, {key: text for key, text in metadata.items() if key.startswith("ss_")})
    body = body_hash(file)
    return {
        "sshs_model_hash": body,
        "sshs_legacy_hash": hashlib.sha256(file[LEGACY_START:LEGACY_END]).hexdigest()[:8],
        "modelspec.hash_sha256": f"0x{body}",
    }


def kept_metadata(lora: Lora) -> dict[str, str]:
    """Return what a LoRA brought along and what stays true in a new file."""
    return {key: text for key, text in lora.metadata.items() if key not in STALE}


def describe(lora: Lora, title: str | None, default_title: str) -> dict[str, str]:
    """Return the metadata of a kohya file, without its hashes.

    What the LoRA brought along is kept, except what is wrong in a new file. There is no date unless
    it brought one: the same LoRA is to be the same file tomorrow.

    Args:
        lora: The LoRA.
        title: Its new name, or None to keep the one it has; A1111 shows it as the alias.
        default_title: Its name when it has none.
    """
    kept = kept_metadata(lora)
    named = {} if title is None else {"ss_output_name": title, "modelspec.title": title}
    ranks, alphas = lora.ranks(), lora.alphas()
    wide = [layer for layer in lora.layers.values() if layer.down.shape[2:] not in ((), (1, 1))]
    arguments = {}
    if wide:
        arguments = {"conv_dim": str(wide[0].rank), "conv_alpha": str(wide[0].alpha)}
    return {
        "ss_output_name": default_title,
        "modelspec.title": default_title,
        "modelspec.resolution": "512x512",
        "modelspec.prediction_type": "epsilon",
        **kept,
        **named,
        "format": "pt",
        "ss_v2": "False",
        "ss_base_model_version": kept.get("ss_base_model_version", "sd_v1"),
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(next(iter(ranks))) if len(ranks) == 1 else "Dynamic",
        "ss_network_alpha": str(next(iter(alphas))) if len(alphas) == 1 else "Dynamic",
        "ss_network_args": json.dumps(arguments),
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.implementation": "diffusers",
        "hub.layers": ", ".join(f"{part} {len(layers_of(lora, part))}" for part in PARTS),
        "hub.written_by": "lora_files 1",
    }
