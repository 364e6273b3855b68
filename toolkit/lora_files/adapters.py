"""Between an adapter and a file: what is trained here loads in diffusers, A1111 and ComfyUI.

kohya's format, which all of them read, has three tensors for each adapted layer:

    lora_unet_<layer>.lora_down.weight   A, (r, in); for a convolution (r, C, k, k)
    lora_unet_<layer>.lora_up.weight     B, (out, r); for a convolution (out, r, 1, 1)
    lora_unet_<layer>.alpha              a single number; the scale is alpha / r

<layer> is its name with dots as underscores; of the text encoder it begins with lora_te_text_model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, TypeGuard

from torch import Tensor, nn

from .layout import LayerShape, Layout
from .memory import Lora, LoraLayer
from .names import TEXT_MODEL, Format
from .read import read_lora
from .write import DtypeName, write_lora


class TrainedLayer(Protocol):
    """One layer of an adapter that these files can hold, such as ``src.lora.LoRALayer``."""

    lora_A: Tensor  # noqa: N815  # (r, in); of a convolution (r, C * k * k)
    lora_B: Tensor  # noqa: N815  # (out, r)
    rank: int
    scale: float
    layer_name: str  # unet.<name of the layer it corrects>, or text_encoder.<name>


def save_adapter(
    adapter: nn.Module,
    path: Path,
    metadata: dict[str, str] | None = None,
    *,
    form: Format = "kohya",
    dtype: DtypeName = "fp16",
) -> None:
    """Write the LoRA to a file, which is complete or not there.

    Args:
        adapter: What ``make_lora`` returned.
        path: Where to write; for PEFT a folder that does not exist yet.
        metadata: Further entries for the file's header, such as ``training_metadata``'s.
        form: ``kohya`` loads everywhere, ``diffusers`` and ``peft`` in those libraries.
        dtype: ``fp16`` is what people share: half as large and right to three digits. ``fp32``
            keeps every bit, to go on training or to compare.
    """
    write_lora(to_memory(adapter, metadata or {}), path, form, dtype=dtype)


def load_adapter(adapter: nn.Module, path: Path) -> dict[str, str]:
    """Read a LoRA file into an adapter on the same layers, in place.

    Args:
        adapter: What ``make_lora`` returned for a fresh base.
        path: A file of any format that lora_files reads.

    Returns:
        The metadata in the file's header.

    Raises:
        HubError: The file cannot be read, or has a layer that the adapter has not.
        ValueError: The file lacks layers of the adapter, or has another rank.
    """
    layers = named_layers(adapter)
    lora = read_lora(path, layout_of(layers))
    missing = sorted(set(layers) - set(lora.layers))
    if missing:
        raise ValueError(
            f"{path.name} has no LoRA for {len(missing)} of the adapter's {len(layers)} layers, "
            f"first {missing[0]}. Make the adapter with the target modules of the file."
        )
    for name, layer in layers.items():
        found = lora.layers[name]
        if found.rank != layer.rank:
            raise ValueError(f"{path.name} has rank {found.rank}, this adapter {layer.rank}.")
        layer.load_state_dict({"lora_A": found.down.flatten(1), "lora_B": found.up.flatten(1)})
        layer.scale = found.scale
    return lora.metadata


def to_memory(adapter: nn.Module, metadata: dict[str, str]) -> Lora:
    """Return the adapter in the form that all formats are written from, on the CPU."""
    layers = {}
    for name, layer in named_layers(adapter).items():
        down, up = layer.lora_A.detach().cpu(), layer.lora_B.detach().cpu()  # (r, in), (out, r)
        patch = patch_of(layer)
        if patch:
            down, up = down.view(-1, *patch), up[:, :, None, None]  # 4-D, 1x1 kernels too
        # Without its alpha a file is read as alpha = rank: another strength, and no warning.
        layers[name] = LoraLayer(down, up, alpha=layer.scale * layer.rank)
    return Lora(layers, metadata)


def layout_of(layers: dict[str, Any]) -> Layout:
    """Return the shapes of the layers beside which these LoRAs sit."""
    return Layout({name: shape_of(layer) for name, layer in layers.items()})


def shape_of(layer: TrainedLayer) -> LayerShape:
    """Return the shape of the layer that a LoRA corrects."""
    channels, kernel = (patch_of(layer) or (layer.lora_A.shape[1], 0))[:2]
    return LayerShape(out_features=layer.lora_B.shape[0], in_features=channels, kernel=kernel)


def patch_of(layer: Any) -> tuple[int, ...]:
    """Return (C, k, k) of a convolution, whose LoRA says so; () of a linear layer."""
    return tuple(getattr(layer, "down_shape", ())[1:])


def named_layers(adapter: nn.Module) -> dict[str, Any]:
    """Return the adapter's layers by the name of the layer that each corrects.

    Raises:
        TypeError: It has other parts than ``TrainedLayer``, which these files cannot hold.
    """
    layers = {}
    for key, layer in adapter.named_children():
        if not is_lora(layer):
            raise TypeError(f"{key} is a {type(layer).__name__}; LoRA files hold LoRALayer only.")
        part, _, name = layer.layer_name.partition(".")
        if part == "text_encoder":
            # transformers 5.6 dropped `text_model` from its names; other programs know no other.
            name = TEXT_MODEL + name.removeprefix(TEXT_MODEL)
        layers[f"{part}.{name}"] = layer
    return layers


def is_lora(layer: Any) -> TypeGuard[TrainedLayer]:
    """Tell whether a module is B A with a scale, beside a layer whose name it knows."""
    needed = ("lora_A", "lora_B", "rank", "scale", "layer_name")
    return all(hasattr(layer, name) for name in needed)
