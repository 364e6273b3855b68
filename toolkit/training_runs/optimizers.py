"""The optimiser: which parameters it changes, how fast, and how to stop and go on.

AdamW is PyTorch's. The other three each need a library, and are worth it when memory is short
(adamw8bit, adafactor) or you do not want to search for a learning rate (prodigy).
"""

from __future__ import annotations

import importlib
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from toolkit.core.errors import EnvironmentFault
from toolkit.core.reporting import TrainState

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from toolkit.core.settings import TrainConfig

# Option -> module, class, what to install, and settings that differ from the class's own.
LIBRARIES: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "adamw": ("torch.optim", "AdamW", "torch", {"fused": True}),
    # bitsandbytes: the moments in 8 bits, a quarter of the memory. Dettmers et al. 2022.
    "adamw8bit": ("bitsandbytes.optim", "AdamW8bit", "bitsandbytes", {}),
    # Mishchenko & Defazio 2023: finds the learning rate, of which ours is then a multiple, so 1.
    "prodigy": ("prodigyopt", "Prodigy", "prodigyopt", {}),
    # Shazeer & Stern 2018, with the given learning rate instead of the relative one: relative to
    # the weights' size it would hardly move a LoRA's B, which starts at zero.
    "adafactor": (
        "transformers.optimization",
        "Adafactor",
        "transformers",
        {"scale_parameter": False, "relative_step": False},
    ),
}


def build_optimizer(
    pipeline: StableDiffusionPipeline, adapter: nn.Module, config: TrainConfig
) -> torch.optim.Optimizer:
    """Return the optimiser of the adapter's parameters and of nothing else.

    What belongs to the text encoder has a learning rate of its own.

    Raises:
        EnvironmentFault: The optimiser's library is not installed.
        ValueError: The adapter has no trainable parameter.
    """
    trained = [p for p in adapter.parameters() if p.requires_grad]
    if not trained:
        raise ValueError("The adapter has no parameter to train: each has requires_grad False.")
    in_text_encoder = {id(p) for p in pipeline.text_encoder.parameters()}
    text_rate = config.text_encoder_learning_rate or config.learning_rate
    groups: list[dict[str, Any]] = [
        {
            "params": [p for p in trained if id(p) not in in_text_encoder],
            "lr": config.learning_rate,
        },
        {"params": [p for p in trained if id(p) in in_text_encoder], "lr": text_rate},
    ]
    module, name, package, settings = LIBRARIES[config.optimizer]
    try:
        optimizer_class = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise EnvironmentFault(
            f"The optimiser {config.optimizer!r} needs {package}: {error}.",
            fix=f"Install it into this environment: python -m pip install {package}",
        ) from error
    filled = [group for group in groups if group["params"]]
    optimizer: torch.optim.Optimizer = optimizer_class(
        filled, weight_decay=config.weight_decay, **settings
    )
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]  # the rate that set_learning_rate starts from
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, step: int, config: TrainConfig) -> None:
    """Give every parameter group the learning rate of a step (from 1)."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * lr_factor(step, config)


def lr_factor(step: int, config: TrainConfig) -> float:
    """Return the share of the learning rate that a step (from 1) is made with, 0 to 1.

    A straight warm-up, then constant, half a cosine, or a straight line towards zero, which would
    be reached in the step after the last one.
    """
    if step <= config.lr_warmup_steps:
        return step / config.lr_warmup_steps
    if config.lr_schedule == "constant":
        return 1.0
    done = (step - 1 - config.lr_warmup_steps) / (config.steps - config.lr_warmup_steps)
    return 1.0 - done if config.lr_schedule == "linear" else (1.0 + math.cos(math.pi * done)) / 2


# --- to stop and go on --------------------------------------------------------------------------


def training_state(
    adapter: nn.Module, optimizer: torch.optim.Optimizer, losses: list[float]
) -> TrainState:
    """Return everything that the steps so far have left, as tensors and plain values.

    The noise, the order of the pictures and so on are drawn from (seed, step), so they are not in
    it. The number of losses says how many steps are done.
    """
    tensors = {f"adapter.{name}": tensor for name, tensor in adapter.state_dict().items()}
    saved = optimizer.state_dict()
    moments: dict[str, dict[str, Any]] = {}
    for index, entries in saved["state"].items():
        moments[str(index)] = {k: v for k, v in entries.items() if not isinstance(v, Tensor)}
        for name, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
    values = {"losses": list(losses), "moments": moments, "groups": saved["param_groups"]}
    return TrainState(tensors, values)


def restore_training(
    state: TrainState | None, adapter: nn.Module, optimizer: torch.optim.Optimizer
) -> list[float]:
    """Put a state of ``training_state`` back, and return the losses of the steps done so far."""
    if state is None:
        return []
    moments = {int(index): dict(entries) for index, entries in state.values["moments"].items()}
    weights = {}
    for key, tensor in state.tensors.items():
        part, name = key.split(".", 1)
        if part == "adapter":
            weights[name] = tensor
        else:
            index, entry = name.split(".", 1)
            moments[int(index)][entry] = tensor
    adapter.load_state_dict(weights)
    optimizer.load_state_dict({"state": moments, "param_groups": state.values["groups"]})
    return list(state.values["losses"])
