"""Attach a PEFT adapter to a model and return it as ``make_lora`` has to."""

from __future__ import annotations

import re
import warnings
from typing import Any

import peft
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from .options import AdapterSpec

ADAPTER_NAME = "default"  # PEFT's own name for the first adapter of a model


class Strength(nn.Module):
    """How much of one layer's adapter acts; `generate` changes it."""

    def __init__(self) -> None:
        super().__init__()
        self.lora_scale = 1.0  # 1 as trained, 0 is the base


class PeftAdapter(nn.Module):
    """All that PEFT added to a model: what is trained, and the random numbers that go with it.

    Args:
        model: With PEFT's layers in place.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        layers = {n: m for n, m in model.named_modules() if isinstance(m, BaseTunerLayer)}
        self.strengths = nn.ModuleList()
        for layer in layers.values():
            layer.hub_strength = Strength()
            layer.register_forward_hook(apply_strength)
            self.strengths.append(layer.hub_strength)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                self.register_parameter(name.replace(".", "_"), parameter)
        # Some methods scale random matrices that they never train: these belong into the file.
        for name, layer in layers.items():
            own = dict(layer.base_layer.named_buffers())
            for key, buffer in layer.named_buffers():
                if key.removeprefix("base_layer.") not in own and buffer.is_floating_point():
                    self.register_buffer(f"{name}.{key}".replace(".", "_"), buffer)


def apply_strength(layer: Any, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
    """Blend the layer's output with that of the frozen layer inside it (a forward hook)."""
    strength: float = layer.hub_strength.lora_scale
    if strength == 1.0:
        return output
    base: Tensor = layer.base_layer(*inputs)
    return base + strength * (output - base)


def attach(model: nn.Module, spec: AdapterSpec) -> PeftAdapter:
    """Freeze a model and put PEFT's adapter beside the chosen layers, in place.

    Args:
        model: For instance the U-Net of Stable Diffusion.
        spec: Method, rank, alpha, layers and options.

    Returns:
        Exactly the trainable parameters (and the method's frozen random buffers).

    Raises:
        ValueError: PEFT refuses an option, or no layer fits.
    """
    model.requires_grad_(False)
    kinds = (nn.Linear, nn.LayerNorm, nn.Conv2d) if spec.convolutions else (nn.Linear, nn.LayerNorm)
    endings = tuple(f".{ending}" for ending in spec.endings)
    names = [
        name
        for name, module in model.named_modules()
        if f".{name}".endswith(endings) and isinstance(module, kinds)
    ]
    if not names:
        raise ValueError(f"{spec.method} finds no layer that is named {' or '.join(spec.endings)}.")
    # Full names in a regular expression: PEFT compares a list of names with endings only.
    arguments = {**spec.arguments, "target_modules": "|".join(map(re.escape, names))}
    try:
        with warnings.catch_warnings():
            # Notices on optional CUDA kernels and on sparse tensors, which change no number.
            warnings.simplefilter("ignore")
            peft.inject_adapter_in_model(
                getattr(peft, spec.config)(**arguments), model, ADAPTER_NAME
            )
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"PEFT's {spec.config} refuses {spec.arguments}: {error}") from error
    adapter = PeftAdapter(model)
    if not any(parameter.numel() for parameter in adapter.parameters()):
        raise ValueError(f"{spec.method} attached nothing that can be trained.")
    return adapter.to(torch.float32)
