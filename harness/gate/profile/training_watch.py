"""A training whose every step can be read: known latents, a U-Net that misses by known amounts.

The U-Net answers the noise in its input plus a pattern of misses, and lets a known gradient through
to every number of the adapter; it computes nothing else, so that thousands of samples cost a few
seconds. What the loop drew is then read off the U-Net's inputs, what its loss is off the gradient
that comes back, and what its optimiser does off the parameters before and after.

Shapes in comments: B batch, h w rows and columns of the latents, S tokens, D text width.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.data import Dataset

from harness.gate.colours import COLOURS
from harness.gate.components import LATENTS, PIXELS
from harness.gate.spies import UNetCall

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# Unscaled latents of a white picture. So large that the latents in a noisy input tell the amount of
# noise to a single timestep: beside them the mean of 64 numbers of noise is small.
LEVEL = 6000.0
SPREAD = 500.0  # the VAE's deviation where its use is looked at; large beside the noise as well

MISSES = (0.0, 0.1, -0.1, 0.5, -0.5, 1.0, -1.0, 4.0, -4.0)  # by how much the U-Net is wrong
SMALL, LARGE = 0.02, 30.0  # factors of the gradient: in turn far below and far above the clipping

WATCHED = 6  # tensors whose updates are followed
FOLLOWED_STEPS = 30

# Long enough to be cut somewhere, with commas; every one differs early and late. Shorter than what
# the text encoder takes, so that padding counts.
CAPTIONS = tuple(f"a {name} square, on its own, painted by hand, {name}" for name in COLOURS)
# Longer than what the text encoder takes: the tokenizer leaves out the end.
LONG_CAPTIONS = tuple(f"{text}, {' '.join(['and more'] * 60)}" for text in CAPTIONS)


class Cards(Dataset[tuple[Tensor, str]]):
    """Seven pictures of a square on a plain background, with long captions.

    Args:
        backwards: In the opposite order.
        long: With captions that do not fit whole.
    """

    def __init__(self, *, backwards: bool = False, long: bool = False) -> None:
        numbers = range(len(COLOURS))
        self.captions = LONG_CAPTIONS if long else CAPTIONS
        self.numbers = [*reversed(numbers)] if backwards else [*numbers]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[Tensor, str]:
        number = self.numbers[index]
        colour = torch.tensor(tuple(COLOURS.values())[number], dtype=torch.float32)[:, None, None]
        card = colour.expand(3, PIXELS, PIXELS).clone()
        # A thing on its background, for who tells them apart; not in the middle, so that a mirror
        # shows.
        card[:, 3 * PIXELS // 8 : 5 * PIXELS // 8, PIXELS // 2 : 3 * PIXELS // 4] = -colour
        return card, self.captions[number]


def codes() -> Tensor:
    """Return the latents of each card as shares of ``LEVEL``, (7, 4); the last channel is 1."""
    colours = torch.tensor(tuple(COLOURS.values()), dtype=torch.float32)  # (7, 3)
    return torch.cat([colours, torch.ones(len(colours), 1)], dim=1)


class LevelEncoder(nn.Module):
    """Stands where the VAE's encoder stands: the background and a constant, with a known spread.

    Args:
        spread: The deviation of each latent.
    """

    def __init__(self, spread: float = 0.0) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(LEVEL))
        self.logvar = 2 * float(np.log(spread)) if spread else -30.0
        self.low, self.high, self.with_grad = float("inf"), float("-inf"), False
        self.apart = 0.0  # from the card with the same background
        self.cards = torch.stack([card for card, _ in map(Cards().__getitem__, range(7))])

    def forward(self, pixel_values: Tensor, *_: Any) -> Tensor:
        """Return the moments (B, 8, h, w) for pixel_values (B, 3, H, W)."""
        self.low = min(self.low, float(pixel_values.min()))
        self.high = max(self.high, float(pixel_values.max()))
        self.with_grad |= torch.is_grad_enabled()
        self.apart = max(self.apart, self.distance(pixel_values.detach().float()))
        batch, _c, height, width = pixel_values.shape
        one = torch.ones(batch, 1, 1, 1, dtype=pixel_values.dtype)
        levels = torch.cat([pixel_values[:, :, :1, :1], one], dim=1)  # (B, 4, 1, 1)
        mean = (levels * self.level).expand(batch, 4, height // 8, width // 8)
        return torch.cat([mean, torch.full_like(mean, self.logvar)], dim=1)

    def distance(self, pixel_values: Tensor) -> float:
        """Return by how much pixels (B, 3, H, W) differ from those of a card at most."""
        if pixel_values.shape[1:] != self.cards.shape[1:]:
            return float("inf")
        apart = torch.cdist(pixel_values[:, :, 0, 0], self.cards[:, :, 0, 0])  # (B, 7)
        return float((pixel_values - self.cards[apart.argmin(dim=1)]).abs().max())


@dataclass
class Step:
    """What one optimiser held when its ``step`` was called."""

    number: int  # round, from 0
    rates: tuple[float, ...]
    kind: str  # the optimiser's class and settings
    grad_norm: float
    cosine: float | None  # of its gradients with the known direction
    held: frozenset[int]
    grads: list[Tensor | None]  # of the watched tensors
    before: list[Tensor]
    after: list[Tensor] = field(default_factory=list)
    rate_of: list[float | None] = field(default_factory=list)


class Watch:
    """Answers for the U-Net while a loss is being computed, and keeps what it saw.

    Args:
        pipeline: Whose U-Net is watched; a ``SpiedUNet``.
        adapter: Its parameters get a known gradient.
        max_grad_norm: What gradients are clipped to.
    """

    def __init__(
        self, pipeline: StableDiffusionPipeline, adapter: nn.Module, max_grad_norm: float
    ) -> None:
        self.alphas: Tensor = pipeline.scheduler.alphas_cumprod.float()  # (T,)
        self.factor = float(pipeline.vae.config.scaling_factor)
        self.parameters = [p for p in adapter.parameters() if p.requires_grad]
        self.max_grad_norm = max_grad_norm
        generator = torch.Generator().manual_seed(17)
        self.directions = [torch.randn(p.shape, generator=generator) for p in self.parameters]
        norm = float(sum(float(d.double().pow(2).sum()) for d in self.directions)) ** 0.5
        self.directions = [d / norm for d in self.directions]
        self.number = {id(p): i for i, p in enumerate(self.parameters)}
        every = max(1, len(self.parameters) // WATCHED)
        self.watched = list(range(0, len(self.parameters), every))[:WATCHED]
        self.calls: list[UNetCall] = []
        self.steps: list[Step] = []
        self.latest: list[Tensor] = []  # the watched tensors after the last step
        self.rounds = 0
        self._stepped: set[int] = set()
        self._reported = 0
        index = torch.arange(4 * LATENTS * LATENTS)
        # Places, channels and pictures of a batch must not go with one size of the miss.
        self._order = (index * 5 + index // 7).view(1, 4, LATENTS, LATENTS)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # copies of a U-Net (an EMA) are watched by the same eyes

    @property
    def step(self) -> int:
        """Steps done so far; a loop without an optimiser of torch tells the reporter at least."""
        return max(self.rounds, self._reported)

    def reported(self) -> None:
        """Hear that the loop reported a step."""
        self._reported += 1

    def steepness(self, step: int) -> float:
        """Return the factor of the gradient at a step."""
        return (LARGE if step % 4 == 3 else SMALL) * self.max_grad_norm

    def misses(self, shape: torch.Size) -> Tensor:
        """Return by how much the U-Net is wrong, (B, 4, h, w)."""
        rows = torch.arange(shape[0])[:, None, None, None] * 4
        if shape[1:] == self._order.shape[1:]:
            order = self._order
        else:
            order = torch.arange(shape[1:].numel()).view(1, *shape[1:]) * 5
        return torch.tensor(MISSES)[(order + rows + self.step * 2) % len(MISSES)]

    def noise_in(self, sample: Tensor, timesteps: Tensor) -> Tensor:
        """Return the noise in an input of one of the cards, (B, 4, h, w), by the timestep told."""
        rows = timesteps.round().long().clamp(0, len(self.alphas) - 1)
        alpha = self.alphas[rows][:, None, None, None]  # (B, 1, 1, 1)
        code = codes()[which_card(sample)][:, :, None, None]  # (B, 4, 1, 1)
        return (sample - alpha.sqrt() * code * LEVEL * self.factor) / (1 - alpha).sqrt()

    def __call__(self, call: UNetCall) -> Tensor:
        """Answer with the noise and a miss; the adapter's gradient hangs on the answer."""
        if not call.grad_enabled:
            return torch.zeros_like(call.sample)  # a drawing: there is no loss to look at
        call.after_steps = self.step
        miss = self.misses(call.sample.shape)
        value = self.noise_in(call.sample, call.timesteps) + miss
        pairs = zip(self.parameters, self.directions, strict=True)
        with torch.autocast("cpu", enabled=False):
            along = torch.stack([(p.float() * d).sum() for p, d in pairs]).sum()
            steep = self.steepness(self.step) * (along - along.detach())
            answer = value + steep * miss.sign()
        call.output = value.clone()
        call.miss = miss
        self.calls.append(call)

        def keep(grad: Tensor) -> None:
            seen = grad.detach().float().clone()
            call.output_grad = seen if call.output_grad is None else call.output_grad + seen

        if answer.requires_grad:
            answer.register_hook(keep)  # type: ignore[no-untyped-call]
        return answer

    @contextmanager
    def optimizers(self) -> Iterator[None]:
        """Note what every optimiser of torch does inside the block."""
        open_steps: dict[int, Step] = {}

        def before(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            if type(optimizer).__module__.startswith("accelerate"):
                return  # only wraps the real one, which comes here too
            held = frozenset(id(p) for group in optimizer.param_groups for p in group["params"])
            if not self._stepped or held & self._stepped:
                self.rounds += 1
                self._stepped = set()
            self._stepped |= held
            open_steps[id(optimizer)] = one = self._note(optimizer, held)
            self.steps.append(one)

        def after(optimizer: torch.optim.Optimizer, *_: Any) -> None:
            one = open_steps.pop(id(optimizer), None)
            self.latest = [self.parameters[i].detach().clone() for i in self.watched]
            if one is not None and one.before:
                one.after = self.latest

        handles = (
            register_optimizer_step_pre_hook(before),
            register_optimizer_step_post_hook(after),
        )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _note(self, optimizer: torch.optim.Optimizer, held: frozenset[int]) -> Step:
        squares, along, known = 0.0, 0.0, 0.0
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        parts = []
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                i = self.number.get(id(p))
                grad = p.grad.detach().float()
                other = self.directions[i] if i is not None else torch.zeros(())
                dot = (grad * other).sum() if i is not None else torch.zeros(())
                parts.append(torch.stack([grad.square().sum(), dot, other.square().sum()]))
        if parts:
            squares, along, known = torch.stack(parts).double().sum(0).tolist()
        follow = self.rounds <= FOLLOWED_STEPS
        watched = [self.parameters[i] for i in self.watched] if follow else []
        norm = (squares * known) ** 0.5
        return Step(
            number=self.rounds - 1,
            rates=tuple(float(group["lr"]) for group in optimizer.param_groups),
            kind=kind_of(optimizer),
            grad_norm=squares**0.5,
            cosine=along / norm if norm > 0 else None,
            held=held,
            grads=[None if p.grad is None else p.grad.detach().float().clone() for p in watched],
            before=[p.detach().clone() for p in watched],
            rate_of=[groups.get(id(p), {}).get("lr") for p in watched],
        )


# Settings of an optimiser that say how it computes; "fused" and the like do not.
SETTINGS = ("betas", "eps", "weight_decay", "amsgrad", "maximize", "momentum", "nesterov", "alpha")


def kind_of(optimizer: torch.optim.Optimizer) -> str:
    """Return class and settings of an optimiser in words."""
    group = optimizer.param_groups[0]
    parts = [
        f"{key} {group[key]}" for key in SETTINGS if key in group and group[key] not in (False, 0)
    ]
    return f"{type(optimizer).__name__} ({', '.join(parts)})"


def which_card(sample: Tensor) -> Tensor:
    """Return which card is behind each input (B, 4, h, w): the nearest of the seven, (B,)."""
    means = sample.mean((2, 3))  # (B, 4)
    code = means[:, :3] / means[:, 3:].abs().clamp_min(1e-6)  # (B, 3)
    return torch.cdist(code, codes()[:, :3]).argmin(dim=1)


def random_states() -> dict[str, Any]:
    """Return the states of the generators that a whole process shares."""
    return {
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),
        "torch": torch.get_rng_state(),
    }


def disturb() -> dict[str, Any]:
    """Give the process's generators another state, and return it."""
    random.seed(99)
    np.random.seed(99)
    torch.manual_seed(99)
    return random_states()


def moved(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Name the generators whose state has changed."""
    names = [
        name
        for name, state in before.items()
        if (
            not torch.equal(state, after[name])
            if isinstance(state, Tensor)
            else state != after[name]
        )
    ]
    return ", ".join(names) or "none"
