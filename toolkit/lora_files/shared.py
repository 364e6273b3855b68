"""Tensors that several names share are written once.

A state_dict names each of them wherever it is used, and safetensors allows no two names for one
storage. A basis that all layers share, as RandLoRA's, would be in a file a hundred times: more than
12 GB at Stable Diffusion 1.4's size. So the file has it under its first name, and its header says
which other names mean the same tensor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

SAME_AS: Final = "same_as"  # in the metadata: {name: the name that it is written under}, as JSON


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """Write tensors, each storage once, as copies on the processor.

    Args:
        tensors: By name.
        path: The file; it is written in place, so hand over a temporary one.
        metadata: Text entries beside them.
    """
    written: dict[str, Tensor] = {}
    same: dict[str, str] = {}
    first: dict[tuple[object, ...], str] = {}
    for name, tensor in tensors.items():
        place = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and place in first:
            same[name] = first[place]
            continue
        first[place] = name
        written[name] = tensor.detach().cpu().clone().contiguous()
    more = {SAME_AS: json.dumps(same, sort_keys=True)} if same else {}
    save_file(written, path, metadata={**metadata, **more})


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file of ``save_tensors``, with every name that a tensor had.

    Raises:
        OSError: It cannot be read.
        SafetensorError: It is none of these files.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    try:
        same = json.loads(metadata.get(SAME_AS, "{}"))
        return {**tensors, **{str(name): tensors[other] for name, other in same.items()}}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SafetensorError(f"its list of shared tensors is damaged: {error!r}") from error
