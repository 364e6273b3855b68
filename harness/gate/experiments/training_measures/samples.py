"""What went through the U-Net: one row for each picture, in order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from harness.gate.experiments.training_measures.numbers import FEW, correlation, distinct
from harness.gate.experiments.training_trace import Trace
from harness.gate.profile.training_watch import LEVEL, codes, which_card

# Timesteps of which bfloat16 knows every fourth, and whose amounts of noise can be told apart.
LATE, LAST = 512, 700


@dataclass
class Samples:
    """Every picture that went through the U-Net with a loss, one row each, in order.

    Args:
        trace: The training.
        known_factor: By what its latents were multiplied, if that is known better.
    """

    trace: Trace
    known_factor: float | None = None

    def __post_init__(self) -> None:
        calls = [c for c in self.trace.watch.calls if c.output is not None]
        self.x = torch.cat([c.sample for c in calls]) if calls else torch.zeros(0, 4, 8, 8)
        self.told = torch.cat([c.timesteps.float() for c in calls]) if calls else torch.zeros(0)
        self.step = torch.cat(
            [torch.full((len(c.sample),), c.after_steps) for c in calls]
            or [torch.zeros(0, dtype=torch.long)]
        )
        self.slot = torch.cat(
            [torch.arange(len(c.sample)) for c in calls] or [torch.zeros(0, dtype=torch.long)]
        )
        self.card = which_card(self.x)
        self.calls = calls

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def level(self) -> Tensor:
        """The constant channel's mean as a share of the VAE's level, (N,)."""
        return self.x[:, 3].mean((1, 2)) / LEVEL

    @cached_property
    def alpha_told(self) -> Tensor:
        """alpha_bar of the timestep that the U-Net is told, (N,)."""
        alphas = self.trace.watch.alphas
        return alphas[self.told.round().long().clamp(0, len(alphas) - 1)]

    @cached_property
    def factor(self) -> float:
        """By what the latents were multiplied."""
        if self.known_factor is not None:
            return self.known_factor
        root, level = self.alpha_told.double().sqrt(), self.level.double()
        fitted = float((level * root).sum() / (root * root).sum().clamp_min(1e-9))
        miss = float((level - fitted * root).abs().max())
        if miss <= 0.01 * abs(fitted):
            return self.rounded(fitted)
        highest = float(self.level.abs().max()) / float(self.trace.watch.alphas[0].sqrt())
        return self.rounded(highest)

    def rounded(self, factor: float) -> float:
        """Return the VAE's own factor for one that is the same but for noise."""
        own = self.trace.watch.factor
        return own if abs(factor / own - 1) < 2e-3 else factor

    @cached_property
    def used(self) -> Tensor:
        """The timestep whose amount of noise each input has, by the base's schedule, (N,)."""
        roots = self.trace.watch.alphas.sqrt()  # falling
        wanted = (self.level / self.factor).contiguous()
        place = torch.searchsorted(-roots, -wanted).clamp(0, len(roots) - 1)
        before = (place - 1).clamp_min(0)
        nearer = (roots[before] - wanted).abs() < (roots[place] - wanted).abs()
        return torch.where(nearer, before, place).float()

    @cached_property
    def schedule_distance(self) -> float:
        """How far what is left of the picture is from the base's schedule at the told timestep."""
        return float((self.level / self.factor - self.alpha_told.sqrt()).abs().max())

    @cached_property
    def in_step(self) -> bool:
        """Whether told timesteps and amounts of noise rise together."""
        a, b = self.told.argsort().argsort().double(), self.level.argsort().argsort().double()
        if len(a) < FEW:
            return True
        found = correlation(a - a.mean(), b - b.mean()) or 0.0
        # Where both rise, picture and noise have changed places, or timesteps are told backwards.
        backwards = float((self.told + self.used).std()) <= 2
        return found < -0.995 or (found > 0.995 and not backwards)

    @cached_property
    def coarseness(self) -> float:
        """The smallest distance of two late timesteps that are told, beside that of the noise's.

        1 unless what is told was rounded: bfloat16 knows every fourth of them.
        """
        steps = [distinct(t[(t > LATE) & (t < LAST)]).diff() for t in (self.told, self.used)]
        told, used = (float(step.min()) if len(step) >= FEW else 1.0 for step in steps)
        return told / used

    @cached_property
    def told_right(self) -> float:
        """The share of inputs that have about the amount of noise of the told timestep."""
        return float(((self.told - self.used).abs() <= 2).float().mean()) if len(self) else 1.0

    @cached_property
    def timesteps(self) -> Tensor:
        """The timesteps that were drawn, (N,): those told, unless the noise shows others."""
        whole = bool((self.told == self.told.round()).all())
        if whole and self.told_right > 0.9:
            return self.told
        return self.used if not self.fits_another_schedule else self.told

    @cached_property
    def fits_another_schedule(self) -> bool:
        """Whether the amount of noise follows the told timestep, but by another schedule."""
        whole = bool((self.told == self.told.round()).all())
        spread = float((self.told - self.used).std()) if len(self) > 1 else 0.0
        return whole and self.in_step and self.schedule_distance > 0.02 and spread > 1.5

    @cached_property
    def noise(self) -> Tensor:
        """The noise in each input, (N, 4, h, w)."""
        alphas = self.trace.watch.alphas
        near = (self.told - self.used).abs() <= (2 if self.coarseness < 2 else 0)
        rows = torch.where(near, self.told, self.used).round().long().clamp(0, len(alphas) - 1)
        alpha = alphas[rows][:, None, None, None]
        if self.fits_another_schedule:
            alpha = (self.level / self.factor).square().clamp(0, 1)[:, None, None, None]
        code = codes()[self.card][:, :, None, None]
        return (self.x - alpha.sqrt() * code * LEVEL * self.factor) / (1 - alpha).sqrt().clamp_min(
            1e-3
        )

    def pairs(self, other_step: bool) -> tuple[Tensor, Tensor]:
        """Return rows of neighbours: in the same batch, or at the same place of the next one."""
        size = int(self.slot.max()) + 1 if len(self) else 1
        first = torch.arange(max(0, len(self) - (size if other_step else 1)))
        second = first + (size if other_step else 1)
        if other_step:
            keep = (self.step[second] == self.step[first] + 1) & (
                self.slot[first] == self.slot[second]
            )
        else:
            keep = self.step[first] == self.step[second]
        return first[keep], second[keep]


def spread_by(cards: Tensor, values: Tensor) -> float | None:
    """Return how far the means of the pictures are apart."""
    parts = [values[cards == card] for card in range(len(codes()))]
    means = [float(part.double().mean()) for part in parts if len(part) >= FEW]
    return max(means) - min(means) if len(means) > 1 else None
