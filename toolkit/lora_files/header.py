"""A safetensors file's header, checked before a tensor is touched. No torch needed.

A file is 8 bytes with the header's length, the header as JSON, and the tensors without gaps.
Reading it runs no code, unlike a pickle (.pt, .bin, .ckpt), which can do anything to the reader.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from toolkit.core.errors import HubError
from toolkit.core.file_starts import LENGTH_BYTES, is_pickle

PICKLE_SUFFIXES: Final = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")

HEADER_LIMIT: Final = 32 << 20  # bytes; 10,000 tensors and long metadata stay below 4 MiB
TENSOR_LIMIT: Final = 20_000
LORA_LIMIT: Final = 2 << 30  # bytes; rank 128 in every layer of SD 1.x as float32 is 0.4 GB

ITEM_SIZES: Final = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2,
    "BF16": 2, "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
FLOATS: Final = ("F16", "BF16", "F32", "F64")
INTEGERS: Final = ("U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64")


@dataclass(frozen=True)
class Entry:
    """One tensor as the header announces it."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """Everything a file says before its tensors.

    Args:
        tensors: Name -> type and shape, in the order of the names.
        metadata: The text entries beside them.
        body_start: Where the tensors begin, in bytes.
        file_size: Of the whole file, in bytes.
    """

    tensors: dict[str, Entry]
    metadata: dict[str, str]
    body_start: int
    file_size: int


def read_header(path: Path, *, size_limit: int | None = LORA_LIMIT) -> Header:
    """Read and check a safetensors file's header.

    Args:
        path: The file.
        size_limit: Refuse larger files, in bytes; None for whole models.

    Raises:
        HubError: No such file, a pickle, too large, or a header that does not fit the file.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise HubError("This is no file.", where=str(path))
        with path.open("rb") as file:
            start = file.read(LENGTH_BYTES + 2)
            _refuse_pickle(path, start, size)
            length = int.from_bytes(start[:LENGTH_BYTES], "little")
            if len(start) < LENGTH_BYTES or length > size - LENGTH_BYTES:
                _damaged(path, "it is shorter than its header says")
            if length > HEADER_LIMIT:
                _damaged(path, f"its header claims {length:,} bytes")
            file.seek(LENGTH_BYTES)
            raw = file.read(length)
    except OSError as error:
        raise HubError(f"The file cannot be read: {error.strerror}.", where=str(path)) from error
    if size_limit is not None and size > size_limit:
        raise HubError(
            f"The file has {size / 1e9:.1f} GB; no LoRA of SD 1.x is that large.",
            where=str(path),
            fix="This looks like a whole model. `extract` makes a LoRA of the difference of two.",
        )
    document = _parse_json(path, raw)
    metadata = _check_metadata(path, document.pop("__metadata__", {}))
    if len(document) > TENSOR_LIMIT:
        _damaged(path, f"its header lists {len(document):,} tensors")
    return Header(_check_tensors(path, document, size - 8 - length), metadata, 8 + length, size)


def _refuse_pickle(path: Path, start: bytes, size: int) -> None:
    if path.suffix.lower() not in PICKLE_SUFFIXES and not is_pickle(start, size):
        return
    raise HubError(
        "This is a pickle: reading it would run whatever code it holds.",
        where=str(path),
        fix="Ask its author for .safetensors, or convert it where you have nothing to lose:\n"
        '       python -c "import torch; from safetensors.torch import save_file; save_file(torch.'
        f"load('{path.name}', weights_only=True), '{path.stem}.safetensors')\"",
    )


def _damaged(path: Path, why: str) -> NoReturn:
    raise HubError(
        f"The file is no intact safetensors file: {why}.",
        where=str(path),
        fix="Fetch or save it again.",
    )


def _parse_json(path: Path, raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a name occurs twice")
        return result

    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=unique)
        # Half a surrogate pair passes json.loads and fails whoever writes or prints it later.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        _damaged(path, f"its header is no JSON ({str(error)[:80]})")
    if not isinstance(document, dict):
        _damaged(path, "its header is not a JSON object")
    return document


def _check_metadata(path: Path, metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict):
        _damaged(path, "its metadata is not a JSON object")
    for key, value in metadata.items():
        if not isinstance(value, str):
            _damaged(path, f"its metadata {key!r:.60} is not text")
    return dict(metadata)


def _check_tensors(path: Path, document: dict[str, Any], body: int) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    spans: list[tuple[int, int]] = []
    for name in sorted(document):
        item = document[name]
        if not isinstance(item, dict) or set(item) != {"dtype", "shape", "data_offsets"}:
            _damaged(path, f"its header says nothing useful about {name!r:.80}")
        dtype, shape, span = item["dtype"], item["shape"], item["data_offsets"]
        if not (_is_counts(shape) and _is_counts(span) and len(span) == 2 and len(shape) < 9):
            _damaged(path, f"shape or place of {name!r:.80} are no lists of numbers")
        if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
            _damaged(path, f"{name!r:.80} has the unknown type {dtype!r:.20}")
        if span[1] - span[0] != math.prod(shape) * ITEM_SIZES[dtype]:
            _damaged(path, f"{name!r:.80} has not the size that its shape asks for")
        entries[name] = Entry(dtype, tuple(shape))
        spans.append((span[0], span[1]))
    end = 0
    for first, last in sorted(spans):
        if first != end:
            _damaged(path, "its tensors overlap or leave gaps")
        end = last
    if end != body:
        _damaged(path, f"its tensors need {end:,} bytes and it has {body:,}")
    return entries


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 48 for n in value)
