"""Which layers get a LoRA: those whose name ends with a target, or all that a preset stands for.

The presets are in toolkit/core/settings.py, where contributions find them too.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TypeGuard

from torch import nn

from toolkit.core.settings import TARGET_PRESETS

# Every linear layer in the blocks of CLIP's text encoder: 6 x 12 in SD 1.x.
TEXT_ENCODER_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


def choose_layers(
    modules: dict[str, nn.Module], target_modules: Sequence[str] | None
) -> dict[str, nn.Linear | nn.Conv2d]:
    """Return the layers that the targets mean, by name, in the model's order; never none."""
    layers = {name: module for name, module in modules.items() if can_take_lora(module)}
    if target_modules is None:
        chosen = {name for name, layer in layers.items() if isinstance(layer, nn.Linear)}
    else:
        chosen = fitting_names(target_modules, list(layers))
    if not chosen:
        raise ValueError("There is no layer to put a LoRA beside.")
    return {name: layer for name, layer in layers.items() if name in chosen}


def fitting_names(target_modules: Sequence[str], layers: list[str]) -> set[str]:
    """Return the names that end with one of the targets; a target that fits none is an error."""
    chosen: set[str] = set()
    unused = []
    for target in target_modules:
        endings = TARGET_PRESETS.get(target, (target,))
        # A leading dot on both sides makes "to_q" fit "attn1.to_q" and not "attn1.xto_q".
        dotted = tuple(f".{ending}" for ending in endings)
        fitting = {name for name in layers if f".{name}".endswith(dotted)}
        chosen |= fitting
        if not fitting:
            unused.append(target)
    if unused:
        raise ValueError(describe_unused(unused, layers))
    return chosen


def can_take_lora(module: nn.Module) -> TypeGuard[nn.Linear | nn.Conv2d]:
    """Tell whether a module is a linear layer, or a convolution of the plain kind SD has."""
    if isinstance(module, nn.Conv2d):
        return module.groups == 1 and module.padding_mode == "zeros"
    return isinstance(module, nn.Linear)


def describe_unused(unused: list[str], layers: list[str]) -> str:
    """Say which targets fit nothing, and what they may have meant."""
    # Every ending of a layer's name would be a valid target: "to_out.0", "attn1.to_out.0", ...
    endings = {".".join(name.split(".")[-parts:]) for name in layers for parts in (1, 2, 3)}
    known = sorted(endings | set(TARGET_PRESETS))
    lines = []
    for target in unused:
        near = difflib.get_close_matches(target, known, n=3, cutoff=0.5)
        hint = f"; near names: {', '.join(near)}" if near else ""
        lines.append(f"No linear layer or convolution is named {target!r}{hint}.")
    return "\n".join(lines)
