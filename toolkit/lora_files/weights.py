"""Read whole models one tensor at a time, by diffusers' names, to compare two of them.

A model can be a folder of diffusers', one of its .safetensors files, or a single-file checkpoint
with the original names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from toolkit.core.errors import HubError

from .header import FLOATS, read_header
from .layout import PARTS, TEXT_ENCODER, UNET
from .ldm import checkpoint_parameter
from .names import TEXT_MODEL

# What diffusers and transformers call the weights of each part, the most exact first.
FILES: Final = {
    UNET: ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"),
    TEXT_ENCODER: ("model.safetensors", "model.fp16.safetensors"),
}


class Weights:
    """The parameters of a model that lies on disk.

    Args:
        places: Parameter (`unet.….weight`) -> open file and the key in it.
    """

    def __init__(self, places: dict[str, tuple[Any, str]]) -> None:
        self._places = places
        self.names = frozenset(places)

    def read(self, name: str) -> Tensor:
        """Return one parameter in float32."""
        file, key = self._places[name]
        try:
            tensor: Tensor = file.get_tensor(key).float()
        except SafetensorError as error:
            raise HubError(f"{name} cannot be read: {error}") from error
        if not torch.isfinite(tensor).all():
            raise HubError(f"{name} holds NaN or infinity.")
        return tensor


@contextmanager
def open_weights(path: Path) -> Iterator[Weights]:
    """Open a model.

    Args:
        path: A diffusers folder or a .safetensors file.

    Raises:
        HubError: Nothing there that could be read as Stable Diffusion 1.x.
    """
    places: dict[str, tuple[Any, str]] = {}
    with ExitStack() as stack:
        for file, part in _files_of(path):
            header = read_header(file, size_limit=None)
            opened = stack.enter_context(_opened(file))
            for key, entry in header.tensors.items():
                name = _parameter_name(key, part)
                if name is not None and entry.dtype in FLOATS:
                    places[name] = (opened, key)
        if not places:
            raise HubError(
                "The file holds no weights of a U-Net or text encoder of SD 1.x.",
                where=str(path),
                fix="Give a diffusers folder, a .safetensors checkpoint, or a delta.",
            )
        yield Weights(places)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        handle = safe_open(file, framework="pt")
    except (SafetensorError, OSError) as error:
        raise HubError(f"The file cannot be read: {error}", where=str(file)) from error
    with handle as opened:
        yield opened


def _files_of(path: Path) -> list[tuple[Path, str | None]]:
    """Return the files of a model, each with the part it must be of, or None if its keys say it."""
    if not path.is_dir():
        return [(path, None)]
    found: list[tuple[Path, str | None]] = []
    for part, names in FILES.items():
        # A folder may be the whole model or its unet/ alone.
        for candidate in [path / part / n for n in names] + [path / n for n in names]:
            if candidate.is_file():
                found.append((candidate, part))
                break
    if not found:
        raise HubError(
            f"The folder has none of {', '.join(n[0] for n in FILES.values())} in unet/ or "
            "text_encoder/.",
            where=str(path),
            fix="Give the folder of a diffusers model with .safetensors weights (not .bin).",
        )
    return found


def _parameter_name(key: str, part: str | None) -> str | None:
    """Return the name as in memory, or None for parameters of other models."""
    name = f"{part}.{key}" if part else checkpoint_parameter(key)
    if name is None:
        if key.partition(".")[0] in PARTS:
            name = key
        elif key.startswith(
            ("down_blocks.", "mid_block.", "up_blocks.", "conv_", "time_embedding.")
        ):
            name = f"{UNET}.{key}"
        elif key.startswith((TEXT_MODEL, "encoder.layers.", "embeddings.", "final_layer_norm.")):
            name = f"{TEXT_ENCODER}.{key}"
    if name is not None and name.startswith(f"{TEXT_ENCODER}."):
        rest = name.removeprefix(f"{TEXT_ENCODER}.")
        name = f"{TEXT_ENCODER}.{TEXT_MODEL}{rest.removeprefix(TEXT_MODEL)}"
    return name
