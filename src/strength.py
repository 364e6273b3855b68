"""How strongly an attached LoRA acts: scaled, switched off and on, or merged into the weights.

Merged, a model is as fast as without a LoRA: W' = W + (alpha / r) B A takes the place of W.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .lora import LoRALayer, lora_layers


def set_lora_scale(adapter: nn.Module, lora_scale: float) -> None:
    """Set the strength with which an adapter acts.

    It works on any adapter whose layers have an attribute ``lora_scale``, also on one
    that a contribution's ``make_lora`` built.

    Args:
        adapter: What ``make_lora`` returned.
        lora_scale: 1 as trained, 0 exactly the base, in between a mixture.

    Raises:
        ValueError: The adapter cannot be scaled, and another strength than 1 is asked for; or it is
            merged, and its strength is fixed until it is unmerged.
    """
    layers: list[Any] = [module for module in adapter.modules() if hasattr(module, "lora_scale")]
    if not layers and lora_scale != 1:
        raise ValueError(
            f"lora_scale is {lora_scale}, but no layer of this adapter has an attribute "
            "`lora_scale`. Multiply by it in the layer's forward, or leave lora_scale at 1."
        )
    for layer in layers:
        if getattr(layer, "base_weight", None) is not None and layer.lora_scale != lora_scale:
            raise ValueError("A merged LoRA has a fixed strength: call unmerge_lora first.")
        layer.lora_scale = lora_scale


@contextmanager
def scaled(adapter: nn.Module, lora_scale: float) -> Iterator[None]:
    """Let the adapter act with another strength inside the block."""
    layers: list[Any] = [module for module in adapter.modules() if hasattr(module, "lora_scale")]
    before = [layer.lora_scale for layer in layers]
    set_lora_scale(adapter, lora_scale)
    try:
        yield
    finally:
        for layer, own_scale in zip(layers, before, strict=True):
            layer.lora_scale = own_scale


def enable_lora(model: nn.Module) -> int:
    """Switch all LoRA layers of a model or adapter on; return how many there are."""
    return _switch(model, on=True)


def disable_lora(model: nn.Module) -> int:
    """Switch all LoRA layers off, so that the model is the base; return how many there are.

    Unlike a scale of 0 it costs no time, and their strength is remembered.
    """
    return _switch(model, on=False)


def _switch(model: nn.Module, *, on: bool) -> int:
    layers = lora_layers(model)
    if not layers:
        raise ValueError("There is no LoRA in this model.")
    if any(layer.base_weight is not None for layer in layers):
        raise ValueError("A merged LoRA cannot be switched: call unmerge_lora first.")
    for layer in layers:
        layer.enabled = on
    return len(layers)


@torch.no_grad()
def merge_lora(model: nn.Module) -> int:
    """Add every LoRA of a model to the weight of its layer, with its present strength.

    Args:
        model: A U-Net or text encoder with a LoRA attached.

    Returns:
        How many layers were merged.

    Raises:
        ValueError: There is no LoRA, or it is merged already.
    """
    adapted = adapted_layers(model)
    if any(layer.lora.base_weight is not None for layer in adapted):
        raise ValueError("This LoRA is merged already.")
    for layer in adapted:
        lora: LoRALayer = layer.lora
        weight = layer.weight
        # Kept whole: taking the correction off again would leave rounding behind.
        lora.base_weight = weight.detach().clone()
        strength = lora.scale * lora.lora_scale * lora.enabled
        # (out, in), or the rows of a convolution's kernel: (out, C * k * k)
        correction = (lora.lora_B @ lora.lora_A) * strength
        weight.copy_(weight.float() + correction.view(weight.shape))
    return len(adapted)


@torch.no_grad()
def unmerge_lora(model: nn.Module) -> int:
    """Put the base's own weights back, bit for bit; return how many layers there were.

    Raises:
        ValueError: There is no LoRA, or it is not merged.
    """
    adapted = adapted_layers(model)
    if any(layer.lora.base_weight is None for layer in adapted):
        raise ValueError("This LoRA is not merged.")
    for layer in adapted:
        layer.weight.copy_(layer.lora.base_weight)
        layer.lora.base_weight = None
    return len(adapted)


def adapted_layers(model: nn.Module) -> list[Any]:
    """Return the layers that have a LoRA beside them; never none.

    Raises:
        ValueError: There is no LoRA in this model.
    """
    layers = [m for m in model.modules() if isinstance(getattr(m, "lora", None), LoRALayer)]
    if not layers:
        raise ValueError("There is no LoRA in this model.")
    return layers
