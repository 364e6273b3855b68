"""Which base model a LoRA was made for, by the widths of its factors.

SD 1.x, SD 2.x and SDXL share most names. A LoRA of one goes into another's file without a fault,
and then a program raises, or skips layers. The widths tell: the text encoder's output has 768
numbers per token in SD 1.x, 1,024 in SD 2.x and 2,048 in SDXL, and the cross-attention reads those.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from toolkit.core.errors import HubError

from .layout import TEXT_ENCODER, LayerShape, Layout, sd1_layout
from .names import SD1, SD2, SDXL

if TYPE_CHECKING:
    from .memory import Lora, LoraLayer

EMBEDDED: Final = "the hub's embedded base, models/tiny-sd"

# Width of a token, which cross-attention's keys and values read -> base model.
TEXT_WIDTHS: Final = {768: SD1, 1024: SD2, 2048: SDXL, 128: EMBEDDED}
CROSS_ATTENTION: Final = re.compile(r"\.attn2\.to_[kv]$")


def family_of(lora: Lora) -> str | None:
    """Return the base model that the widths point to, or None when they do not tell."""
    for name, layer in lora.layers.items():
        if CROSS_ATTENTION.search(name) or name.startswith(f"{TEXT_ENCODER}."):
            width = layer.down.shape[1]
            # The second layer of the text encoder's MLP reads four times the width.
            width //= 4 if name.endswith("mlp.fc2") else 1
            return TEXT_WIDTHS.get(width)
    return None


def misfit(lora: Lora, layout: Layout) -> str | None:
    """Return one sentence about the first layer whose widths are not the base's, or None."""
    for name, layer in lora.layers.items():
        if not fits(layer, layout.layers[name]):
            wanted, family = layout.layers[name], family_of(lora)
            told = f" ({family})" if family and layout is sd1_layout() and family != SD1 else ""
            return (
                f"Made for another base model{told}: {name} has {layer.down.shape[1]:,} inputs and "
                f"{layer.up.shape[0]:,} outputs, this base {wanted.in_features:,} and "
                f"{wanted.out_features:,}."
            )
    return None


def fits(layer: LoraLayer, shape: LayerShape) -> bool:
    """Tell whether a correction can be added to a layer of this shape."""
    widths = (layer.up.shape[0], layer.down.shape[1])
    return widths == (shape.out_features, shape.in_features)


def require_fit(lora: Lora, layout: Layout, where: str) -> None:
    """Refuse a LoRA of another base model.

    Raises:
        HubError: A layer's widths are not those of the base.
    """
    sentence = misfit(lora, layout)
    if sentence is not None:
        raise HubError(
            sentence,
            where=where,
            fix="Give the folder of the base that it was trained on with --base.",
        )
