"""Fifteen steps on plain colours: what reaches VAE, U-Net and optimiser, and what moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.gate.colours import CAPTIONS
from harness.gate.experiments.context import Context, Recorder, attach, snapshot, train
from harness.gate.spies import OptimizerStep, Spy, UNetCall
from harness.gate.toy_pictures import PlainColours, which_picture
from toolkit.core.settings import TrainConfig

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

STEPS, BATCH_SIZE = 15, 4


@dataclass
class Samples:
    """All pictures that went through the U-Net with a gradient, one row each."""

    noisy: Tensor  # (N, 4, h, w)
    timesteps: Tensor  # (N,)
    states: Tensor | None  # (N, S, D); None when the calls differ in S
    picture: Tensor  # (N,) index, -1 = cannot be told
    alpha_bar: Tensor  # (N,) of the pipeline's own scheduler
    in_range: bool  # timesteps are those of the scheduler


@dataclass
class TrainingSeen:
    """What the experiment saw."""

    config: TrainConfig
    spy: Spy
    recorder: Recorder
    losses: tuple[float, ...]
    samples: Samples | None
    scaling_factor: float
    alphas_cumprod: Tensor
    adapter_ids: frozenset[int]
    adapter_names: dict[int, str]
    unmoved: tuple[str, ...]
    base_changed: tuple[str, ...]
    other_ids: dict[int, str]
    known_texts: Tensor  # (8, S, D) captions and the empty one, by the untouched text encoder
    made_dtypes: frozenset[torch.dtype]

    @property
    def calls(self) -> list[UNetCall]:
        """Calls of the U-Net with a gradient."""
        return self.spy.trained_calls

    @property
    def steps_made(self) -> int:
        """Steps that were made; several optimisers side by side make one together."""
        return len(self.spy.rounds)

    @property
    def steps(self) -> list[OptimizerStep]:
        """What the optimiser held at each step."""
        return self.spy.steps


def run(context: Context) -> TrainingSeen:
    """Train on seven plain colours with everything watched."""
    spy = Spy(context.finder)
    pipeline = context.workshop.tiny(spy)
    adapter = attach(context, pipeline)
    inside = {id(p): name for name, p in adapter.named_parameters()}
    before = {name: p.detach().clone() for name, p in adapter.named_parameters()}
    base = base_tensors(pipeline, frozenset(inside))
    frozen = {name: tensor.detach().clone() for name, tensor in base.items()}
    trainable = {id(p): n for n, p in adapter.named_parameters() if p.requires_grad}
    made_dtypes = frozenset(p.dtype for p in adapter.parameters() if p.requires_grad)
    config = context.train_config(steps=STEPS, batch_size=BATCH_SIZE, caption_dropout=0.0)
    recorder = Recorder()
    with spy.watching_optimizers():
        losses = train(context, pipeline, PlainColours(), adapter, config, recorder)
    after = dict(adapter.named_parameters())
    unmoved = [
        name for name in trainable.values() if name in after and equal(before[name], after[name])
    ]
    alphas = alphas_cumprod(pipeline)
    return TrainingSeen(
        config=config,
        spy=spy,
        recorder=recorder,
        losses=losses,
        samples=collect(spy.trained_calls, alphas),
        scaling_factor=float(pipeline.vae.config.scaling_factor),
        alphas_cumprod=alphas,
        adapter_ids=frozenset(trainable),
        adapter_names=inside,
        unmoved=tuple(unmoved),
        base_changed=tuple(n for n, tensor in base.items() if not equal(frozen[n], tensor)),
        other_ids={id(t): n for n, t in base.items()},
        known_texts=context.workshop.embed([*CAPTIONS, ""]),
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


def alphas_cumprod(pipeline: StableDiffusionPipeline) -> Tensor:
    """Return the share of the picture that is left at each timestep, (T,)."""
    alphas: Tensor = pipeline.scheduler.alphas_cumprod.float()
    return alphas


def collect(calls: list[UNetCall], alphas: Tensor) -> Samples | None:
    """Put the samples of all calls below each other."""
    if not calls:
        return None
    timesteps = torch.cat([call.timesteps.float() for call in calls])
    rows = timesteps.round().long()
    in_range = bool(((rows >= 0) & (rows < len(alphas))).all())
    alpha_bar = alphas[rows.clamp(0, len(alphas) - 1)]
    shapes = {tuple(call.states.shape[1:]) for call in calls}
    fitting = all(len(call.states) == len(call.sample) for call in calls)
    noisy = torch.cat([call.sample for call in calls])
    return Samples(
        noisy=noisy,
        timesteps=timesteps,
        states=torch.cat([call.states for call in calls]) if len(shapes) == 1 and fitting else None,
        picture=which_picture(noisy),
        alpha_bar=alpha_bar,
        in_range=in_range,
    )
