"""What all experiments share: the hooks, fresh models, and ways to call the hooks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from harness.errors import HookResultError
from harness.gate.components import Workshop
from harness.gate.places import Finder
from harness.worker.fresh_copy import seed_everything
from harness.worker.hooks import Hooks
from harness.worker.returned import check_adapter
from toolkit.core.settings import HookName, LoraConfig, TrainConfig, TrainResult

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


@dataclass
class Context:
    """One run of the gate in one process."""

    hooks: Hooks
    workshop: Workshop
    finder: Finder
    data_dir: Path
    scratch: Path
    reference: Hooks | None = None
    shared: dict[str, Any] = field(default_factory=dict)

    def owns(self, *hooks: HookName) -> bool:
        """Tell whether one of these hooks is the contribution's own; none named means yes."""
        return not hooks or any(self.hooks.owner.code_of(hook) for hook in hooks)

    def lora_config(self) -> LoraConfig:
        """The adapter settings that the contribution asks for."""
        return self.hooks.owner.file.settings.lora

    def train_config(self, **changes: Any) -> TrainConfig:
        """The contribution's training settings with a few changes; warm-up is left out.

        With a warm-up of a hundred steps a training of fifteen would not move anything.
        """
        settings = self.hooks.owner.file.settings.train.model_dump()
        return TrainConfig(**{**settings, "lr_warmup_steps": 0, "seed": 11, **changes})


class Recorder:
    """The reporter that ``train`` is handed."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.losses: list[float] = []

    def step(self, step: int, loss: float) -> None:
        """Note one finished step."""
        self.numbers.append(step)
        self.losses.append(float(loss))


def attach(
    context: Context,
    pipeline: StableDiffusionPipeline,
    hooks: Hooks | None = None,
    seed: int = 3,
    config: LoraConfig | None = None,
) -> nn.Module:
    """Call ``make_lora``."""
    hooks = hooks or context.hooks
    seed_everything(seed)
    adapter: nn.Module = hooks.call(
        "make_lora", pipeline=pipeline, config=config or context.lora_config()
    )
    check_adapter(adapter, hooks.origins["make_lora"].path)
    return adapter


def train(
    context: Context,
    pipeline: StableDiffusionPipeline,
    dataset: Dataset[tuple[Tensor, str]],
    adapter: nn.Module,
    config: TrainConfig,
    reporter: Any,
    hooks: Hooks | None = None,
    before: Callable[[], object] | None = None,
) -> tuple[float, ...]:
    """Call ``train`` as a run does, and return its losses.

    ``before`` is called when the generators have been seeded.

    Raises:
        HookResultError: It returned no TrainResult.
    """
    hooks = hooks or context.hooks
    seed_everything(config.seed)
    if before is not None:
        before()
    result = hooks.call(
        "train",
        pipeline=pipeline,
        dataset=dataset,
        adapter=adapter,
        config=config,
        reporter=reporter,
    )
    if not isinstance(result, TrainResult):
        raise HookResultError(
            f"train returned a {type(result).__name__}, not a TrainResult.",
            where=context.finder.of_hook("train"),
            fix="from harness import TrainResult, then: return TrainResult(losses=tuple(losses))",
        )
    return result.losses


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by name."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def perturb(adapter: nn.Module, size: float, seed: int = 5) -> None:
    """Move every trainable tensor a little, as training would, by noise of this relative size."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in adapter.parameters():
            if parameter.requires_grad:
                # Matrices that start at zero get what a freshly drawn one of their width has.
                fan_in = parameter.shape[-1] if parameter.dim() > 1 else max(1, parameter.numel())
                spread = float(parameter.float().std()) if parameter.numel() > 1 else 0.0
                scale = size * max(spread, 1 / math.sqrt(fan_in))
                noise = torch.randn(parameter.shape, generator=generator) * scale
                parameter.add_(noise.to(parameter))
