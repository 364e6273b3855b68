"""One training loop for all stages: rates, averages, checkpoints, log."""

# ruff: noqa: S311 - repeatable draws are the point; nothing here is secret.

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch
from safetensors import safe_open
from safetensors.torch import save

from toolkit.core.atomic import write_bytes

from .files import append_jsonl
from .muon import Muon, is_matrix
from .progress import progress
from .settings import Recipe, UnetSettings, VaeSettings
from .threads import ThreadChooser

# What the optimisers remember of a parameter; Muon has the first one only.
MOMENTS: Final = ("exp_avg", "exp_avg_sq")
# Called with (step, rng); everything random in a step comes from that rng and torch's global
# generator, both seeded by the step, so a resumed run takes the very steps an uninterrupted one
# takes.
LossFunction = Callable[[int, random.Random], torch.Tensor]


@dataclass(frozen=True)
class Schedule:
    """Length and rates of a stage, in optimiser steps."""

    train_steps: int
    decay_steps: int
    learning_rate: float
    warmup_steps: int = 100
    ema_decay: float = 0.999
    seed: int = 0
    checkpoint_every: int = 250
    preview_every: int = 500

    @classmethod
    def of(cls, recipe: Recipe, settings: VaeSettings | UnetSettings) -> Schedule:
        """Return the schedule that a stage's settings ask for."""
        return cls(
            train_steps=settings.train_steps,
            decay_steps=settings.decay_steps,
            learning_rate=settings.learning_rate,
            ema_decay=settings.ema_decay,
            seed=settings.seed,
            checkpoint_every=recipe.checkpoint_every,
            preview_every=recipe.preview_every,
        )

    def rate(self, step: int) -> float:
        """Return the rate of `step`: constant, then linear to 2 % over `decay_steps`."""
        left = max(0, self.train_steps - step) / max(1, self.decay_steps)
        return self.learning_rate * min(1.0, (step + 1) / self.warmup_steps, 0.02 + 0.98 * left)


@dataclass
class TrainState:
    """Modules in training with their averages and optimiser moments."""

    modules: dict[str, torch.nn.Module]
    step: int = 0
    ema: dict[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start the averages at the present weights and make the optimiser."""
        self.parameters = {
            f"{name}.{key}": value
            for name, module in self.modules.items()
            for key, value in module.named_parameters()
            if value.requires_grad
        }
        self.ema = {key: value.detach().clone() for key, value in self.parameters.items()}
        matrices = {key for key, value in self.parameters.items() if is_matrix(key, value)}
        rest = [value for key, value in self.parameters.items() if key not in matrices]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        ]
        if matrices:
            self.optimizers.append(Muon([self.parameters[key] for key in sorted(matrices)]))

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the averages towards the weights; faster while there is little to average."""
        weight = 1.0 - min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.ema.values()), list(self.parameters.values()), weight)

    @torch.no_grad()
    def swap_average(self) -> None:
        """Exchange weights and averages; a second call exchanges them back."""
        for key, value in self.parameters.items():
            held = value.detach().clone()
            value.copy_(self.ema[key])
            self.ema[key].copy_(held)

    @torch.no_grad()
    def start_anew(self, prefixes: tuple[str, ...]) -> None:
        """Forget averages and moments of parameters that were changed from outside.

        All averages start anew, since those of the others belong to the old ones.
        """
        for key, value in self.parameters.items():
            self.ema[key].copy_(value)
            if key.startswith(prefixes):
                self._moments(value).clear()

    def save(self, path: Path) -> None:
        """Write weights, averages, moments and step into one file, atomically."""
        tensors: dict[str, torch.Tensor] = {}
        for key, value in self.parameters.items():
            tensors[f"model.{key}"] = value.detach()
            tensors[f"ema.{key}"] = self.ema[key]
            for moment, held in self._moments(value).items():
                if moment in MOMENTS:
                    tensors[f"{moment}.{key}"] = held
        packed = {key: value.contiguous().cpu() for key, value in tensors.items()}
        write_bytes(path, save(packed, metadata={"step": str(self.step)}))

    @torch.no_grad()
    def load(self, path: Path) -> None:
        """Continue from what `save` wrote.

        Raises:
            SystemExit: It is of a model of another size.
        """
        with safe_open(path, framework="pt") as stored:
            self.step = int(stored.metadata()["step"])
            names = set(stored.keys())
            for key, value in self.parameters.items():
                shape = tuple(stored.get_slice(f"model.{key}").get_shape())
                if shape != tuple(value.shape):
                    raise SystemExit(
                        f"{path} is of another size: {key} is {shape}, here {tuple(value.shape)}.\n"
                        "  Fix: give the --size it was begun with, or another --run."
                    )
                value.copy_(stored.get_tensor(f"model.{key}"))
                self.ema[key].copy_(stored.get_tensor(f"ema.{key}"))
                moments = self._moments(value)
                for moment in MOMENTS:
                    if f"{moment}.{key}" in names:
                        held = stored.get_tensor(f"{moment}.{key}")
                        moments[moment] = torch.empty_like(value).copy_(held)
                        moments["step"] = torch.tensor(float(self.step), device=value.device)

    def _moments(self, value: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what the parameter's optimiser remembers of it; empty before the first step."""
        owner = next(
            optimizer
            for optimizer in self.optimizers
            if any(value is held for group in optimizer.param_groups for held in group["params"])
        )
        moments: dict[str, torch.Tensor] = owner.state[value]
        return moments


def train(
    state: TrainState,
    loss_of: LossFunction,
    schedule: Schedule,
    checkpoint: Path,
    preview: Callable[[int], dict[str, float]] | None = None,
    share_cpu: bool = False,
) -> None:
    """Train until `schedule.train_steps`, continuing from `checkpoint` when it is there.

    Args:
        state: What is trained.
        loss_of: Loss of one step.
        schedule: Length and rates.
        checkpoint: Safetensors file; the log lies beside it with the ending ``.jsonl``.
        preview: Called with the averaged weights in place; returns figures for the log.
        share_cpu: Change the number of threads as other programs come and go.
    """
    if checkpoint.exists():
        state.load(checkpoint)
    log = checkpoint.with_suffix(".jsonl")
    first, losses, since = state.step, [], time.monotonic()
    threads = ThreadChooser(share_cpu)
    for step in progress(range(first, schedule.train_steps), checkpoint.stem, done=first):
        threads.before_step()
        losses.append(_take_step(state, loss_of, schedule, step))
        threads.after_step()
        last = state.step == schedule.train_steps
        if state.step % 50 == 0 or last:
            pace = len(losses) / (time.monotonic() - since)
            record = {"step": state.step, "loss": sum(losses) / len(losses), "steps_per_s": pace}
            append_jsonl(log, record)
            losses, since = [], time.monotonic()
        if preview is not None and (state.step % schedule.preview_every == 0 or last):
            state.swap_average()
            append_jsonl(log, {"step": state.step, **preview(state.step)})
            state.swap_average()
        if state.step % schedule.checkpoint_every == 0 or last:
            state.save(checkpoint)


def _take_step(state: TrainState, loss_of: LossFunction, schedule: Schedule, step: int) -> float:
    torch.manual_seed(schedule.seed * 1_000_003 + step)
    for optimizer in state.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
    loss = loss_of(step, random.Random(f"{schedule.seed}/{step}"))
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(state.parameters.values(), 1.0)
    for optimizer in state.optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    state.step = step + 1
    state.update_average(schedule.ema_decay)
    return float(loss.detach())
