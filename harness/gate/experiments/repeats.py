"""The same short training several times: same seed, another seed, and the reference in between."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from harness.gate.experiments.context import Context, Recorder, attach, train
from harness.gate.spies import Spy
from harness.gate.toy_pictures import PlainColours
from harness.worker.hooks import Hooks

STEPS, BATCH_SIZE = 2, 4


@dataclass
class Trace:
    """One short training, by what it leaves."""

    weights: dict[str, Tensor]
    losses: tuple[float, ...]
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
    """Train two steps on a fresh tiny model: B alone moves in the first, A in the second, too."""
    spy = Spy(context.finder)
    pipeline = context.workshop.tiny(spy)
    adapter = attach(context, pipeline, hooks)
    config = context.train_config(steps=STEPS, batch_size=BATCH_SIZE, seed=seed)
    losses = train(context, pipeline, PlainColours(), adapter, config, Recorder(), hooks)
    return Trace(
        weights={n: t.detach().clone() for n, t in adapter.state_dict().items()},
        losses=losses,
        inputs=[call.sample for call in spy.trained_calls],
    )
