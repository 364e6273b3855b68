"""The very factors of an adapter that is a plain LoRA, found without any of its code.

Wherever a tensor ends in lora_A and its twin in lora_B, their product is compared with what
training really changed. What fits to the last digits is a plain LoRA, whatever its scale is called.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from torch import Tensor

from harness.runs.export.change import Change, weight_of
from toolkit.core.errors import HubError
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.shared import load_tensors

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# The change was found as a difference of float32 weights, so it is off by rounding: a share of
# itself, and of the weight that it was taken from. Another kind of adapter is off by far more.
TOLERANCE, ROUNDING = 1e-4, 5e-7

_FIRST = re.compile(r"^(?P<before>.*\b|.*_)?lora_A(?P<after>(\.[A-Za-z0-9_]+)*)$")


def plain_lora(change: Change, adapter: Path | None, base: StableDiffusionPipeline) -> Lora | None:
    """Return the adapter as a LoRA, or None when it is something else.

    Raises:
        HubError: The adapter's file cannot be read.
    """
    if change.lora is not None:
        return change.lora
    if adapter is None or change.others:
        return None
    try:
        tensors = load_tensors(adapter)
    except (SafetensorError, OSError) as error:
        raise HubError(f"The adapter cannot be read: {error}", where=str(adapter)) from error
    pairs = pairs_of(tensors)
    layers = {}
    for name, delta in change.layers.items():
        pair = pairs.get(flat(name)) or pairs.get(flat(name.partition(".")[2]))
        slack = ROUNDING * float(weight_of(base, name).norm())
        layer = as_layer(pair, delta, slack) if pair else None
        if layer is None:
            return None
        layers[name] = layer
    return Lora(layers)


def pairs_of(tensors: dict[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return A and B by the flat name of the layer that stands before them."""
    pairs = {}
    for key, first in tensors.items():
        match = _FIRST.match(key)
        twin = tensors.get(key.replace("lora_A", "lora_B"))
        if match and twin is not None:
            name = flat((match["before"] or "").strip("._"))
            for prefix in ("base_model_model_", "unet_base_model_model_"):
                name = name.removeprefix(prefix)
            pairs[name] = (first, twin)
    return pairs


def flat(name: str) -> str:
    """Return a name as it is spelt where dots are not allowed.

    Newer versions of transformers leave ``text_model`` out of their names.
    """
    return name.replace(".", "_").replace("text_encoder_text_model_", "text_encoder_")


def as_layer(pair: tuple[Tensor, Tensor], delta: Tensor, slack: float = 0.0) -> LoraLayer | None:
    """Return A and B with the alpha that makes them the delta, or None when no alpha does.

    Args:
        pair: A (r, in k k) or (r, in, k, k), and B (out, r) or (out, r, 1, 1).
        delta: (out, in) or (out, in, k, k).
        slack: The norm of what rounding may have added to the delta.
    """
    down, up = (tensor.double().flatten(1) for tensor in pair)  # (r, in k k), (out, r)
    wanted = delta.double().flatten(1)  # (out, in k k)
    if up.shape[1] != down.shape[0] or (up.shape[0], down.shape[1]) != tuple(wanted.shape):
        return None
    product = up @ down
    scale = float((product * wanted).sum() / product.square().sum().clamp_min(1e-300))
    if float((product * scale - wanted).norm()) > TOLERANCE * float(wanted.norm()) + slack:
        return None
    rank = down.shape[0]
    shape = tuple(delta.shape)
    down32, up32 = down.float().contiguous(), up.float().contiguous()
    if len(shape) == 4:
        down32, up32 = down32.reshape(rank, *shape[1:]), up32[:, :, None, None]
    return LoraLayer(down32, up32, round_scale(scale) * rank)


def round_scale(scale: float) -> float:
    """Undo the rounding of a scale that was found by division: 1.9999999 was 2."""
    return float(f"{scale:.5g}")
