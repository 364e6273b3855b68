"""What the loss does, read off the gradients at the answers of the U-Net."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from harness.gate.experiments.training_measures.numbers import FEW, distinct, mean
from harness.gate.experiments.training_measures.rounding import precision_of
from harness.gate.experiments.training_measures.samples import Samples, spread_by
from harness.gate.experiments.training_trace import Trace, TrainingTraces
from harness.gate.profile.property import Values
from harness.gate.profile.training_watch import LEVEL, MISSES, codes


@dataclass
class Losses:
    """The gradient at each element of the U-Net's answers, and what it says about the loss."""

    samples: Samples
    dropped: Tensor

    def __post_init__(self) -> None:
        self._by_size: dict[float, tuple[Tensor, Tensor]] = {}
        self.rows = [i for i, c in enumerate(self.samples.calls) if c.output_grad is not None]
        calls = [self.samples.calls[i] for i in self.rows]
        per_step: dict[int, int] = {}
        for call in calls:
            per_step[call.after_steps] = per_step.get(call.after_steps, 0) + call.sample.numel()
        starts = [0]
        for call in self.samples.calls:
            starts.append(starts[-1] + len(call.sample))
        self.index = torch.cat(
            [torch.arange(starts[i], starts[i + 1]) for i in self.rows]
            or [torch.zeros(0, dtype=torch.long)]
        )
        shape = (0, *self.samples.x.shape[1:])
        self.grad = torch.cat(
            [c.output_grad * per_step[c.after_steps] for c in calls if c.output_grad is not None]
            or [torch.zeros(shape)]
        )
        self.answer = torch.cat(
            [c.output for c in calls if c.output is not None] or [torch.zeros(shape)]
        )
        self.miss = torch.cat([c.miss for c in calls if c.miss is not None] or [torch.zeros(shape)])

    def precision(self) -> str | None:
        """Return the type that the loss was computed in, where the U-Net answers in float32."""
        calls = [self.samples.calls[i] for i in self.rows]
        return precision_of(
            [c.output_grad for c in calls if c.output_grad is not None and not c.autocast]
        )

    @cached_property
    def target(self) -> str:
        """Which known tensor the gradient points away from."""
        if not len(self.index):
            return "nothing: no gradient came back"
        noise = self.samples.noise[self.index]
        sign = self.grad.sign()
        counted = float(sign.abs().mean())  # where an error counts is another property's affair
        if not counted:
            return "nothing: no gradient came back"

        def score(value: Tensor) -> float:
            return float((sign * (self.answer - value).sign()).mean()) / counted

        if score(noise) >= 0.7:
            return "the noise"
        x = self.samples.x[self.index]
        alpha = self.samples.alpha_told[self.index][:, None, None, None]
        root, other = alpha.sqrt(), (1 - alpha).sqrt()
        card = codes()[self.samples.card[self.index]][:, :, None, None]
        latents = (card * LEVEL * self.samples.factor).expand_as(noise)
        candidates = {
            "the latents": latents,
            "the unscaled latents": latents / self.samples.factor,
            "the noisy latents": x,
            "the noise with the wrong sign": -noise,
            "zero": torch.zeros_like(noise),
            "the velocity": root * noise - other * latents,
            "the noise less the latents": noise - latents,
            "the noise of another picture": self.flipped(noise),
        }
        scores = {name: score(value) for name, value in candidates.items()}
        best = max(scores, key=lambda name: scores[name])
        return best if scores[best] > 0.7 else "something else"

    def flipped(self, values: Tensor) -> Tensor:
        """Return each batch in the opposite order."""
        step = self.samples.step[self.index]
        parts = [values[step == s].flip(0) for s in distinct(step)]
        return torch.cat(parts) if parts else values

    @cached_property
    def weights(self) -> Tensor:
        """What each element counts for, as a multiple of the mean squared error's, (n, 4, h, w)."""
        error = self.answer - self.samples.noise[self.index]
        return torch.where(error.abs() > 0.05, self.grad / (2 * error), torch.nan)

    def at_size(self, size: float) -> tuple[Tensor, Tensor]:
        """Return sum and number of the weights at one size of the miss, by row, (n,) each."""
        if size not in self._by_size:
            keep = self.weights.isfinite() & ((self.miss.abs() - size).abs() < 1e-3)
            chosen = torch.where(keep, self.weights, 0.0)
            self._by_size[size] = chosen.double().flatten(1).sum(1), keep.flatten(1).sum(1)
        return self._by_size[size]

    def weight(self, rows: Tensor | None = None, size: float = 1.0) -> float | None:
        """Return the mean weight of some rows at one size of the miss."""
        total, number = self.at_size(size)
        if rows is not None:
            total, number = total[rows], number[rows]
        return float(total.sum() / number.sum()) if int(number.sum()) >= FEW else None

    def mean_by_row(self) -> Tensor:
        """Return the mean weight of each picture at misses of 1, (n,)."""
        total, number = self.at_size(1.0)
        return total / number.clamp_min(1)

    def balance(self) -> float | None:
        """Return the weight of misses of 1 as a multiple of that of misses of -1."""
        known = self.weights.isfinite()
        above = self.weights[known & ((self.miss - 1).abs() < 1e-3)]
        below = self.weights[known & ((self.miss + 1).abs() < 1e-3)]
        low = float(below.double().mean()) if below.numel() >= FEW else 0.0
        return float(above.double().mean()) / low if above.numel() >= FEW and low else None

    def share_in_target(self) -> float | None:
        """Return by what the noise is multiplied in the target of a mean squared error."""
        noise = self.samples.noise[self.index].double()
        small = self.miss.abs() <= 1 + 1e-3
        over = (self.grad.double() / 2 - (self.answer.double() - noise))[small]
        chosen = noise[small]
        size = float(chosen.square().sum())
        return 1 - float((over * chosen).sum()) / size if size else None

    def relative(self, rows: Tensor) -> float | None:
        """Return the weight of some rows as a multiple of all rows'."""
        part, whole = self.weight(rows), self.weight()
        return part / whole if part is not None and whole else None

    def spread_over(self, *dims: int) -> float | None:
        """Return how much the weight differs over what is left when ``dims`` are averaged."""
        weights = torch.where((self.miss.abs() - 1).abs() < 1e-3, self.weights, torch.nan)
        means = weights.nanmean(dims)
        means = means[means.isfinite()]
        overall = self.weight()
        if means.numel() < 2 or not overall:
            return None
        return float((means.max() - means.min()) / abs(overall))


def target(losses: Losses) -> Values:
    """What the U-Net is trained to answer."""
    name = losses.target
    values: Values = {"it is": name, "small misses pulled the right way": None}
    if name == "the noise":
        small = (losses.miss.abs() - MISSES[1]).abs() < 1e-3
        pulled = losses.grad.sign() * losses.miss.sign()
        chosen = pulled[small & (losses.grad != 0)]
        values["small misses pulled the right way"] = mean((chosen > 0).double())
        values["share of the noise in it"] = losses.share_in_target()
    return values


def prediction_type(traces: TrainingTraces) -> Values:
    """What a base that predicts the velocity is trained to answer."""
    if traces.velocity is None:
        return {"of a base for the velocity": "it is refused"}
    samples = Samples(traces.velocity)
    return {"of a base for the velocity": Losses(samples, torch.zeros(0)).target}


def loss_shape(losses: Losses) -> Values:
    """What an error counts for, by its size."""
    one = losses.weight() if losses.target == "the noise" else None
    half, four = losses.weight(size=0.5), losses.weight(size=4.0)
    return {
        "scale": one,
        "error of 0.5 beside one of 1": half / one if one and half is not None else None,
        "error of 4 beside one of 1": four / one if one and four is not None else None,
        "error above beside one below": losses.balance() if one else None,
        "computed in": losses.precision(),
    }


def loss_weights(losses: Losses) -> Values:
    """What an error counts for, by where it is."""
    if losses.target != "the noise" or not losses.weight():
        return {}
    rows = losses.index
    t, slot, dropped = (
        losses.samples.timesteps[rows],
        losses.samples.slot[rows],
        losses.dropped[rows],
    )
    zero = losses.grad.flatten(1).abs().amax(1) == 0
    return {
        "timesteps 0 to 99": losses.relative(t < 100),
        "timesteps 100 to 499": losses.relative((t >= 100) & (t < 500)),
        "timesteps 500 to 999": losses.relative(t >= 500),
        "first picture of a batch": losses.relative(slot == 0),
        "second half of a batch": losses.relative(slot >= (slot.max() + 1) // 2),
        "dropped captions": losses.relative(dropped),
        "difference between channels": losses.spread_over(0, 2, 3),
        "difference between places": losses.spread_over(0, 1),
        "difference between pictures": spread_by(
            losses.samples.card[rows], losses.mean_by_row() / (losses.weight() or 1.0)
        ),
        "pictures that do not count": mean(zero.double()),
    }


def returned_losses(trace: Trace, losses: Losses) -> Values:
    """Whether the losses are those that were computed."""
    told = list(trace.reports.losses)
    same = sum(abs(a - b) <= 1e-6 * abs(b) for a, b in zip(told, trace.losses, strict=False))
    values: Values = {
        "reported as returned": same / max(1, len(trace.losses)),
        "returned, as a multiple of what was computed": None,
        "in the steps they belong to": None,
    }
    if losses.target != "the noise":
        return values
    squares: dict[int, list[float]] = {}
    for call in trace.watch.calls:
        if call.output_grad is None or call.miss is None:
            continue
        # A loss that is a mean of squares has half its error times its gradient, summed up.
        value = float((call.output_grad.double() * call.miss.double()).sum()) / 2
        squares.setdefault(call.after_steps, []).append(value)
    pairs = [
        (trace.losses[step], sum(parts))
        for step, parts in squares.items()
        if step < len(trace.losses) and sum(parts) > 0
    ]
    if len(pairs) < 4:
        return values
    ratios = [a / b for a, b in pairs]
    values["returned, as a multiple of what was computed"] = statistics.median(ratios)
    a = torch.tensor([p[0] for p in pairs]).double()
    b = torch.tensor([p[1] for p in pairs]).double()
    middle = statistics.median(ratios)
    near = ((a - middle * b).abs() <= 5e-4 * (middle * b).abs() + 1e-9).double()
    values["in the steps they belong to"] = float(near.mean())
    return values
