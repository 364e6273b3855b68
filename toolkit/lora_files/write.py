"""Write a LoRA: kohya's format for every program, diffusers' and PEFT's for those libraries.

Each file is complete or not there, and the same LoRA gives the same bytes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor

from toolkit.core import atomic
from toolkit.core.errors import HubError

from .configs import FOLDED, FOLDED_KEY, config_of, header_entry_of, layers_of
from .factors import folded, with_one_alpha
from .layout import PARTS
from .memory import Lora
from .metadata import describe, hashes, kept_metadata, pack
from .names import Format, diffusers_name, kohya_name, peft_name
from .read import PEFT_CONFIG, PEFT_TENSORS

DTYPES: Final = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
DtypeName = Literal["fp16", "bf16", "fp32"]
AlphaMode = Literal["fold", "metadata"]


def write_lora(
    lora: Lora,
    path: Path,
    form: Format = "kohya",
    *,
    dtype: DtypeName = "fp16",
    alpha: AlphaMode = "fold",
    title: str | None = None,
) -> None:
    """Write a LoRA.

    Args:
        lora: At least one layer.
        path: A file; for PEFT a folder that does not exist yet.
        form: ``kohya`` loads everywhere; ``diffusers`` and ``peft`` in those libraries.
        dtype: Of the factors. fp16 is what people share, half as large, and exact to 1e-3.
        alpha: Only for ``diffusers``. ``fold`` moves the scale into the factors, which every
            version reads rightly; ``metadata`` keeps the factors as they are and alpha in the
            header, which versions before 0.35 do not look at.
        title: A new name for the metadata; None keeps the old one, or takes the file's.

    Raises:
        HubError: No layers, a value that the type cannot hold, or a target that cannot be written.
    """
    if not lora.layers:
        raise HubError("There is no layer to write: this LoRA is empty.", where=str(path))
    if lora.embeddings and form != "kohya":
        raise HubError(
            f"Beside the LoRA the file holds embeddings, of {', '.join(lora.words())}: only "
            "kohya's format has a place for them.",
            where=str(path),
            fix="Write --to kohya, or leave them out with --without-embeddings.",
        )
    try:
        if form == "peft":
            _write_peft(lora, path, dtype)
            return
        if path.is_dir():
            raise HubError("The target is a folder.", where=str(path), fix="Name a file in it.")
        if form == "kohya":
            lora = _with_one_alpha_per_model(lora)
            tensors = kohya_tensors(lora, dtype) | lora.embeddings
            metadata = describe(lora, title, path.stem)
            metadata |= hashes(tensors, metadata)
        else:
            tensors, metadata = diffusers_tensors(lora, dtype, alpha)
        atomic.write_bytes(path, pack(tensors, metadata))
    except OSError as error:
        raise HubError(f"The file cannot be written: {error.strerror}.", where=str(path)) from error


def _with_one_alpha_per_model(lora: Lora) -> Lora:
    layers = {n: x for part in PARTS for n, x in with_one_alpha(layers_of(lora, part)).items()}
    return Lora(layers, lora.metadata, embeddings=lora.embeddings)


def kohya_tensors(lora: Lora, dtype: DtypeName = "fp16") -> dict[str, Tensor]:
    """Return the tensors of a kohya file: three for each layer.

    Alpha is always there, and always float32: a file without is read as alpha = rank, and rounded
    to float16 it would be another strength.
    """
    tensors = {}
    for layer, factors in lora.layers.items():
        name = kohya_name(layer)
        tensors[f"{name}.lora_down.weight"] = _cast(factors.down, dtype, layer)
        tensors[f"{name}.lora_up.weight"] = _cast(factors.up, dtype, layer)
        tensors[f"{name}.alpha"] = torch.tensor(factors.alpha, dtype=torch.float32)
    return tensors


def diffusers_tensors(
    lora: Lora, dtype: DtypeName, alpha: AlphaMode
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return tensors and metadata of a diffusers file: two for each layer, and no alpha."""
    metadata = {**kept_metadata(lora), "format": "pt"}
    if alpha == "fold":
        lora = Lora({n: folded(layer) for n, layer in lora.layers.items()})
        metadata[FOLDED_KEY] = FOLDED
    # Of several ranks older versions of diffusers take one for all alphas, unless told.
    if alpha == "metadata" or len(lora.ranks()) > 1:
        metadata |= {"lora_adapter_metadata": header_entry_of(lora)}
    tensors = {}
    for layer, factors in lora.layers.items():
        name = diffusers_name(layer)
        tensors[f"{name}.lora_A.weight"] = _cast(factors.down, dtype, layer)
        tensors[f"{name}.lora_B.weight"] = _cast(factors.up, dtype, layer)
    return tensors, metadata


def _write_peft(lora: Lora, folder: Path, dtype: DtypeName) -> None:
    if folder.exists():
        raise HubError(
            "The target exists; a PEFT folder is only ever written anew.",
            where=str(folder),
            fix="Remove it, or name another.",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        temporary.chmod(0o755)  # mkdtemp makes private folders
        for part in PARTS:
            if layers_of(lora, part):
                _write_peft_part(lora, part, temporary / part, dtype)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_peft_part(lora: Lora, part: str, folder: Path, dtype: DtypeName) -> None:
    flat = text_encoder_is_flat()
    tensors = {}
    for layer, factors in layers_of(lora, part).items():
        name = peft_name(layer, flat_text_encoder=flat)
        tensors[f"{name}.lora_A.weight"] = _cast(factors.down, dtype, layer)
        tensors[f"{name}.lora_B.weight"] = _cast(factors.up, dtype, layer)
    config = {
        "peft_type": "LORA",
        "bias": "none",
        "inference_mode": True,
        "lora_dropout": 0.0,
        **config_of(lora, part),
    }
    metadata = {**kept_metadata(lora), "format": "pt"}
    atomic.write_bytes(folder / PEFT_TENSORS, pack(tensors, metadata))
    atomic.write_text(folder / PEFT_CONFIG, json.dumps(config, indent=2, sort_keys=True) + "\n")


def text_encoder_is_flat() -> bool:
    """Tell whether the installed transformers has no `text_model` in its text encoder.

    PEFT loads by the very names of the modules; without transformers the newer names are written.
    """
    try:
        major, minor = (int(n) for n in version("transformers").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return True
    return (major, minor) >= (5, 6)


def _cast(tensor: Tensor, dtype: DtypeName, layer: str) -> Tensor:
    result = tensor.detach().to("cpu", DTYPES[dtype]).contiguous()
    if not torch.isfinite(result).all():
        why = "is too large for" if torch.isfinite(tensor).all() else "holds NaN or infinity, not"
        raise HubError(
            f"A factor of {layer} {why} {dtype}.",
            fix="Write --dtype fp32." if "large" in why else "Look for a broken training.",
        )
    return result
