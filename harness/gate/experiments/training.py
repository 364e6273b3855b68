"""Fifteen steps on plain colours: what moves, what must not, and in which precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.gate.experiments.context import Context, Recorder, attach, snapshot, train
from harness.gate.spies import OptimizerStep, Spy
from harness.gate.toy_pictures import PlainColours
from toolkit.core.settings import TrainConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

STEPS, BATCH_SIZE = 15, 4


@dataclass
class TrainingSeen:
    """What the experiment saw."""

    config: TrainConfig
    steps: list[OptimizerStep]  # what the optimiser held at each step
    tensors: int  # of the adapter, trainable
    unmoved: tuple[str, ...]
    base_changed: tuple[str, ...]
    made_dtypes: frozenset[torch.dtype]


def run(context: Context) -> TrainingSeen:
    """Train on seven plain colours with everything watched."""
    spy = Spy(context.finder)
    pipeline = context.workshop.tiny(spy)
    adapter = attach(context, pipeline)
    inside = frozenset(id(p) for p in adapter.parameters())
    before = {name: p.detach().clone() for name, p in adapter.named_parameters()}
    base = base_tensors(pipeline, inside)
    frozen = {name: tensor.detach().clone() for name, tensor in base.items()}
    trainable = [name for name, p in adapter.named_parameters() if p.requires_grad]
    made_dtypes = frozenset(p.dtype for p in adapter.parameters() if p.requires_grad)
    config = context.train_config(steps=STEPS, batch_size=BATCH_SIZE, caption_dropout=0.0)
    with spy.watching_optimizers():
        train(context, pipeline, PlainColours(), adapter, config, Recorder())
    after = dict(adapter.named_parameters())
    return TrainingSeen(
        config=config,
        steps=spy.steps,
        tensors=len(trainable),
        unmoved=tuple(n for n in trainable if n in after and equal(before[n], after[n])),
        base_changed=tuple(n for n, tensor in base.items() if not equal(frozen[n], tensor)),
        made_dtypes=made_dtypes,
    )


def base_tensors(
    pipeline: StableDiffusionPipeline, adapter_ids: frozenset[int]
) -> dict[str, Tensor]:
    """Return every tensor of the three models that is not a parameter of the adapter."""
    found: dict[str, Tensor] = {}
    for part in ("unet", "vae", "text_encoder"):
        model: nn.Module = getattr(pipeline, part)
        for name, tensor in snapshot(model).items():
            if id(tensor) not in adapter_ids:
                found[f"{part}.{name}"] = tensor
    return found


def equal(a: Tensor, b: Tensor) -> bool:
    """Tell whether two tensors hold the same bits."""
    return a.shape == b.shape and a.dtype == b.dtype and bool(torch.equal(a, b))
