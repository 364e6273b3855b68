"""The same short training several times: same seed, another seed, and the reference in between."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from harness.gate.experiments.context import Context, Recorder, attach, train
from harness.gate.experiments.training import collect
from harness.gate.spies import Spy
from harness.gate.toy_pictures import PlainColours
from harness.worker.hooks import Hooks

STEPS, BATCH_SIZE = 3, 4


@dataclass
class Trace:
    """One short training, by what it leaves."""

    weights: dict[str, Tensor]
    losses: tuple[float, ...]
    pictures: list[int]  # in the order in which they were trained on, -1 = cannot be told
    inputs: list[Tensor] = field(default_factory=list)  # the U-Net's noisy latents

    def same_as(self, other: Trace) -> bool:
        """Tell whether two trainings left the same bits and the same losses."""
        return (
            self.losses == other.losses
            and self.weights.keys() == other.weights.keys()
            and all(torch.equal(t, other.weights[n]) for n, t in self.weights.items())
        )

    def same_inputs(self, other: Trace) -> bool:
        """Tell whether two trainings saw the same noise on the same pictures."""
        pairs = zip(self.inputs, other.inputs, strict=False)
        same = [a.shape == b.shape and torch.allclose(a, b, atol=1e-5) for a, b in pairs]
        return bool(same) and all(same)


@dataclass
class RepeatsSeen:
    """What the experiment saw."""

    first: Trace
    again: Trace
    other_seed: Trace
    reference_before: Trace | None
    reference_after: Trace | None


def run(context: Context) -> RepeatsSeen:
    """Train five times in one process."""
    reference = context.reference
    before = trace(context, reference, seed=21) if reference else None
    first = trace(context, context.hooks, seed=21)
    after = trace(context, reference, seed=21) if reference else None
    again = trace(context, context.hooks, seed=21)
    other = trace(context, context.hooks, seed=22)
    return RepeatsSeen(first, again, other, before, after)


def trace(context: Context, hooks: Hooks, seed: int) -> Trace:
    """Train a few steps on a fresh tiny model."""
    spy = Spy(context.finder)
    pipeline = context.workshop.tiny(spy)
    adapter = attach(context, pipeline, hooks)
    config = context.train_config(steps=STEPS, batch_size=BATCH_SIZE, seed=seed)
    losses = train(context, pipeline, PlainColours(), adapter, config, Recorder(), hooks)
    samples = collect(spy.trained_calls, pipeline.scheduler.alphas_cumprod.float())
    return Trace(
        weights={n: t.detach().clone() for n, t in adapter.state_dict().items()},
        losses=losses,
        pictures=samples.picture.tolist() if samples else [],
        inputs=[call.sample for call in spy.trained_calls],
    )
