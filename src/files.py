"""LoRA files: kohya's format, which diffusers, A1111 and ComfyUI load alike.

Per adapted layer three tensors, named after the layer with its dots as underscores:

    lora_unet_<layer>.lora_down.weight   A, (r, in); for a 1x1 convolution (r, in, 1, 1)
    lora_unet_<layer>.lora_up.weight     B, (out, r); for a 1x1 convolution (out, r, 1, 1)
    lora_unet_<layer>.alpha              a single number; the scale is alpha / r
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from .lora import LoRAConv1x1, LoRALayer
from .utils import replacing

PREFIX = "lora_unet_"


def lora_layers(adapter: nn.Module) -> dict[str, LoRALayer]:
    """Return the adapter's layers by name.

    Raises:
        TypeError: It has other parts than LoRALayer, which these files cannot hold.
    """
    layers = {}
    for name, layer in adapter.named_children():
        if not isinstance(layer, LoRALayer):
            raise TypeError(f"{name} is a {type(layer).__name__}; LoRA files hold LoRALayer only.")
        layers[name] = layer
    return layers


def save_adapter(adapter: nn.Module, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write the LoRA to a file that diffusers, A1111 and ComfyUI load (kohya's format).

    Args:
        adapter: What ``make_lora`` returned.
        path: Where to write; an older file stays whole until the new one is complete.
        metadata: Further entries for the file's header.
    """
    tensors: dict[str, Tensor] = {}
    for name, layer in lora_layers(adapter).items():
        # Loaders expect the weights of a 1x1 convolution to be 4-D: (r, in, 1, 1).
        pixel = (1, 1) if isinstance(layer, LoRAConv1x1) else ()
        down, up = layer.lora_A.detach().cpu(), layer.lora_B.detach().cpu()
        tensors[f"{PREFIX}{name}.lora_down.weight"] = down.reshape(*down.shape, *pixel)
        tensors[f"{PREFIX}{name}.lora_up.weight"] = up.reshape(*up.shape, *pixel)
        # Without its alpha a file is read as alpha = rank: another strength, and no warning.
        tensors[f"{PREFIX}{name}.alpha"] = torch.tensor(layer.scale * layer.rank)
    header = {
        "format": "pt",
        "ss_v2": "False",
        "ss_base_model_version": "sd_v1",
        "ss_network_module": "networks.lora",
        **(metadata or {}),
    }
    with replacing(path) as temporary:
        temporary.write_bytes(sort_header(save(tensors, metadata=header)))


def sort_header(file: bytes) -> bytes:
    """Sort the header of a safetensors file, so that the same LoRA is the same file.

    The library writes the metadata in an order that changes from run to run. A file is 8 bytes with
    the length of the header, the header as JSON padded with spaces, and the tensors.
    """
    length = int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8 : 8 + length]), sort_keys=True, separators=(",", ":"))
    padded = header.encode().ljust(-(-len(header.encode()) // 8) * 8)
    return len(padded).to_bytes(8, "little") + padded + file[8 + length :]


def load_adapter(adapter: nn.Module, path: Path) -> dict[str, str]:
    """Read a file of ``save_adapter`` into an adapter of the same shape, in place.

    Args:
        adapter: What ``make_lora`` returned for a fresh base.
        path: A file that ``save_adapter`` wrote.

    Returns:
        The metadata in the file's header.

    Raises:
        ValueError: The file has other layers, or another rank, than the adapter.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no dict
        metadata = dict(file.metadata() or {})
    layers = lora_layers(adapter)
    wanted = {
        f"{PREFIX}{name}.{part}"
        for name in layers
        for part in ("lora_down.weight", "lora_up.weight", "alpha")
    }
    different = sorted(wanted ^ set(tensors))
    if different:
        raise ValueError(
            f"{path.name} and this adapter differ in {len(different)} tensors, first in "
            f"{different[0]}. Make the adapter with the target modules of the file."
        )
    for name, layer in layers.items():
        down = tensors[f"{PREFIX}{name}.lora_down.weight"].flatten(1)  # (r, in)
        up = tensors[f"{PREFIX}{name}.lora_up.weight"].flatten(1)  # (out, r)
        if down.shape[0] != layer.rank:
            raise ValueError(
                f"{path.name} has rank {down.shape[0]}, but this adapter has {layer.rank}."
            )
        layer.load_state_dict({"lora_A": down, "lora_B": up})
        layer.scale = float(tensors[f"{PREFIX}{name}.alpha"]) / layer.rank
    return metadata
