"""Write and read ``delta.safetensors``: the only thing a scorer accepts from a worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from toolkit.core import atomic
from toolkit.core.errors import DeltaError

PARTS = ("unet", "text_encoder")


def write_delta(
    path: Path, deltas: dict[str, dict[str, Tensor]], header: Mapping[str, str] | None = None
) -> None:
    """Write the deltas of the U-Net and the text encoder as ``<part>.<parameter>`` tensors.

    Args:
        path: The file.
        deltas: Part -> parameter's name -> change.
        header: What the file says about whose work it is.
    """
    flat = {
        f"{part}.{name}": tensor.float().contiguous()
        for part, delta in deltas.items()
        for name, tensor in delta.items()
    }
    with atomic.replacing(path) as temporary:
        save_file(flat, temporary, metadata={**(header or {}), "format": "pt", "hub.kind": "delta"})


def read_delta(path: Path, models: dict[str, nn.Module]) -> dict[str, dict[str, Tensor]]:
    """Read a delta that a stranger's process wrote, trusting nothing in it.

    The header alone decides whether the tensors are read: names must be parameters of the base,
    shapes theirs, the type float32, the file no larger than that implies. Values must be finite.

    Args:
        path: The file.
        models: The clean base's ``unet`` and ``text_encoder``.

    Raises:
        DeltaError: Something in the file does not fit the base.
    """
    expected = {
        f"{part}.{name}": parameter.shape
        for part in PARTS
        for name, parameter in models[part].named_parameters()
    }
    limit = sum(shape.numel() for shape in expected.values()) * 4 + (1 << 20)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DeltaError("The worker left no delta file.", where=path.name) from error
    if size > limit:
        raise DeltaError(
            f"The delta has {size:,} bytes; the whole base has {limit:,}.", where=path.name
        )
    result: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118  # not a dict: iterating it is not supported
                _check_header(key, file.get_slice(key), expected, path)
            for key in file.keys():  # noqa: SIM118
                tensor = file.get_tensor(key)
                if not torch.isfinite(tensor).all():
                    raise DeltaError(
                        f"The trained weights hold NaN or infinity in {key!r}.",
                        where=path.name,
                        fix="Lower the learning rate, or look for a division by zero in the loss.",
                    )
                part, _, name = key.partition(".")
                result[part][name] = tensor
    except SafetensorError as error:
        raise DeltaError(f"The delta is not a safetensors file: {error}", where=path.name) from (
            error
        )
    return result


def _check_header(key: str, piece: object, expected: dict[str, torch.Size], path: Path) -> None:
    shape, dtype = piece.get_shape(), piece.get_dtype()  # type: ignore[attr-defined]
    if key not in expected:
        raise DeltaError(f"The base has no parameter {key!r:.120}.", where=path.name)
    if tuple(shape) != tuple(expected[key]) or dtype != "F32":
        raise DeltaError(
            f"{key!r} is {dtype} of shape {tuple(shape)}; the base has F32 of "
            f"{tuple(expected[key])}.",
            where=path.name,
        )
