"""Put the fast forms into a model for the time of a block, only where they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.fast_layers import convolution, pointwise
from toolkit.fast_layers.linear import LoRALinear
from toolkit.fast_layers.pointwise import LoRAPointwise


@contextmanager
def fast_layers(
    model: nn.Module, lora_hook: Callable[..., Any], *, pack_convolutions: bool
) -> Iterator[int]:
    """Compute LoRA layers, and if asked to frozen convolutions, in their fast form in the block.

    A layer is left as it is unless it is exactly what the fast form computes: a plain
    ``nn.Linear`` or 1x1 ``nn.Conv2d`` in float32 on the processor whose only hook is ``lora_hook``,
    with a LoRA without dropout. So a model that other code has
    changed stays theirs.

    Args:
        model: For instance the U-Net.
        lora_hook: The forward hook that adds ``layer.lora`` to a layer's output.
        pack_convolutions: Also pack 3x3 convolutions: faster at 256 px and below, at the price of
            twice their weights in memory.

    Yields:
        How many layers are computed in a fast form.
    """
    changed: list[tuple[nn.Module, dict[int, Any]]] = []
    try:
        for layer in model.modules():
            fast = fast_form(layer, lora_hook, pack_convolutions)
            if fast is None:
                continue
            changed.append((layer, dict(layer._forward_hooks)))
            if isinstance(fast, Fused):
                layer._forward_hooks.clear()  # its work is in the fast form
            layer.forward = fast
        yield len(changed)
    finally:
        for layer, hooks in changed:
            del layer.forward  # the class's own shows again
            layer._forward_hooks.update(hooks)


def fast_form(
    layer: nn.Module, lora_hook: Callable[..., Any], pack_convolutions: bool
) -> Callable[[Tensor], Tensor] | None:
    """Return a layer's fast form, or None where there is none."""
    if "forward" in vars(layer):  # other code has replaced it
        return None
    function = fused_function(layer)
    if function is not None and is_plain_lora(layer, lora_hook):
        return Fused(layer, function)
    if pack_convolutions and convolution.fits(layer):
        return convolution.PackedConvolution(layer)
    return None


def fused_function(layer: nn.Module) -> type[LoRALinear | LoRAPointwise] | None:
    """Return what computes a layer and its LoRA in one, or None."""
    if type(layer) is nn.Linear:
        return LoRALinear
    return LoRAPointwise if pointwise.fits(layer) else None


class Fused:
    """A layer and its LoRA as one function. An object: a copied model has its own."""

    def __init__(self, layer: nn.Module, function: type[LoRALinear | LoRAPointwise]) -> None:
        self.layer, self.function = layer, function

    def __call__(self, x: Tensor) -> Tensor:
        """Return the layer's output with its correction."""
        layer: Any = self.layer
        lora = layer.lora
        scale = lora.scale * lora.lora_scale
        inputs = (x, layer.weight, layer.bias, lora.lora_A, lora.lora_B, scale)
        out: Tensor = self.function.apply(*inputs)  # type: ignore[no-untyped-call]
        return out


def is_plain_lora(layer: Any, lora_hook: Callable[..., Any]) -> bool:
    """Tell whether a layer computes W x + b + s B A x and nothing else."""
    lora: Any = getattr(layer, "lora", None)
    return (
        lora is not None
        and list(layer._forward_hooks.values()) == [lora_hook]
        and not layer._forward_pre_hooks
        and not layer._backward_hooks
        and not layer._backward_pre_hooks
        and not layer._forward_hooks_with_kwargs
        and not layer._forward_hooks_always_called
        and lora.dropout == 0
        and not layer.weight.requires_grad
        and all(p.dtype == torch.float32 and p.device.type == "cpu" for p in layer.parameters())
    )
