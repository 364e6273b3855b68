"""The same training in parts: batches in micro-batches, and a run that stops and goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from harness.gate.experiments.context import Context, Recorder, attach, train
from harness.gate.spies import Spy
from harness.gate.toy_pictures import PlainColours
from toolkit.core.reporting import TrainState

STEPS, BATCH_SIZE, PARTS = 2, 4, 2


@dataclass
class Part:
    """One short training, by what can be compared."""

    rates: tuple[tuple[float, ...], ...]  # learning rates per optimiser step
    grad_norms: tuple[float, ...]
    pictures: int  # through the U-Net with gradients
    largest_call: int  # pictures in one call
    weights: dict[str, Tensor]
    place: str | None


@dataclass
class ContinuingSeen:
    """What the experiment saw."""

    steps: int
    whole: Part
    split: Part
    uninterrupted: dict[str, Tensor] | None  # None when the loop keeps no state
    resumed: dict[str, Tensor] | None
    losses: tuple[tuple[float, ...], tuple[float, ...]]


class Keeper(Recorder):
    """A reporter of a long run: keeps the state after one step, and hands it back.

    Args:
        keep_at: Step after which the state is kept.
        state: What an earlier run kept.
    """

    cache_dir = None

    def __init__(self, keep_at: int, state: TrainState | None = None) -> None:
        super().__init__()
        self.keep_at, self.state, self.kept = keep_at, state, False

    def resume(self) -> TrainState | None:
        """Return the state of the earlier run."""
        return self.state

    def checkpoint(self, step: int, make_state: Callable[[], TrainState]) -> None:
        """Keep a copy of the state after one step."""
        if step == self.keep_at:
            made = make_state()
            tensors = {name: t.detach().clone() for name, t in made.tensors.items()}
            self.state, self.kept = TrainState(tensors, dict(made.values)), True


def run(context: Context) -> ContinuingSeen:
    """Train whole and in parts, then stop in the middle and go on."""
    whole, split = part(context, 1), part(context, PARTS)
    keeper = Keeper(STEPS // 2)
    uninterrupted, losses = weights(context, keeper)
    resumed: dict[str, Tensor] | None = None
    resumed_losses: tuple[float, ...] = ()
    if keeper.kept:
        resumed, resumed_losses = weights(context, Keeper(-1, keeper.state))
    return ContinuingSeen(
        steps=STEPS,
        whole=whole,
        split=split,
        uninterrupted=uninterrupted if keeper.kept else None,
        resumed=resumed,
        losses=(losses, resumed_losses),
    )


def part(context: Context, parts: int) -> Part:
    """Train with each batch in this many parts."""
    spy = Spy(context.finder)
    changes: dict[str, Any] = {
        "gradient_accumulation_steps": parts,
        "lr_schedule": "linear",
        "max_grad_norm": 1e6,
    }
    found = weights(context, Recorder(), spy, **changes)[0]
    return Part(
        rates=tuple(step.learning_rates for step in spy.steps),
        grad_norms=tuple(step.grad_norm for step in spy.steps),
        pictures=sum(len(call.sample) for call in spy.trained_calls),
        largest_call=max((len(call.sample) for call in spy.trained_calls), default=0),
        weights=found,
        place=spy.steps[0].place if spy.steps else None,
    )


def weights(
    context: Context, reporter: Recorder, spy: Spy | None = None, **changes: Any
) -> tuple[dict[str, Tensor], tuple[float, ...]]:
    """Train a fresh tiny model; return the adapter's tensors and the losses."""
    spy = spy or Spy(context.finder)
    pipeline = context.workshop.tiny(spy)
    adapter = attach(context, pipeline)
    config = context.train_config(steps=STEPS, batch_size=BATCH_SIZE, **changes)
    with spy.watching_optimizers():
        losses = train(context, pipeline, PlainColours(), adapter, config, reporter)
    return {n: t.detach().clone() for n, t in adapter.state_dict().items()}, losses


def farthest(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    """Return the largest difference of two sets of tensors, infinite if they do not fit."""
    if first.keys() != second.keys():
        return float("inf")
    return max((float((t - second[n]).abs().max()) for n, t in first.items()), default=0.0)
