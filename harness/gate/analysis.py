"""What can be read off noisy latents whose pictures are known.

A sample is x = sqrt(a) * factor * latent + sqrt(1 - a) * noise, with a = alpha_bar of its timestep.
The known latent is one number per channel, so the mean of a channel tells the first part and what
varies inside a channel the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from harness.gate.components import GAIN

if TYPE_CHECKING:
    from harness.gate.experiments.training import TrainingSeen

# Schedules that are met in the wild; the base's own is compared first.
KNOWN_SCHEDULES: dict[str, dict[str, Any]] = {
    "DDPMScheduler's default (linear, 0.0001 to 0.02)": {},
    "linear betas from 0.00085 to 0.012": {"beta_start": 0.00085, "beta_end": 0.012},
    "scaled_linear betas from 0.0001 to 0.02": {"beta_schedule": "scaled_linear"},
    "the cosine schedule": {"beta_schedule": "squaredcos_cap_v2"},
}


def levels(seen: TrainingSeen) -> tuple[Tensor, Tensor] | None:
    """Return the constant channel's mean divided by its latent, and alpha_bar; (N,) each."""
    if seen.samples is None:
        return None
    return seen.samples.noisy[:, 3].mean((1, 2)) / GAIN, seen.samples.alpha_bar


def signal_factor(seen: TrainingSeen) -> float | None:
    """Return by what the latents were multiplied, from the samples with the least noise."""
    found = levels(seen)
    if found is None:
        return None
    level, alpha = found
    count = max(3, len(alpha) // 3)
    least = alpha.argsort(descending=True)[:count]
    return float((level[least] / alpha[least].sqrt()).median())


def schedule_error(seen: TrainingSeen) -> float | None:
    """Return the root mean square distance of what is left of a picture from sqrt(alpha_bar)."""
    found, factor = levels(seen), signal_factor(seen)
    if found is None or not factor or abs(factor) < 0.01:
        return None
    level, alpha = found
    return float((level / factor - alpha.sqrt()).pow(2).mean().sqrt())


def fitting_schedule(seen: TrainingSeen, limit: float = 0.04) -> str | None:
    """Return the name of another well-known schedule that the samples fit."""
    found, samples, factor = levels(seen), seen.samples, signal_factor(seen)
    if found is None or samples is None or not factor:
        return None
    if (schedule_error(seen) or 0.0) <= limit:
        return None
    for name, changes in KNOWN_SCHEDULES.items():
        alphas = DDPMScheduler(**changes).alphas_cumprod.float()
        rows = samples.timesteps.round().long().clamp(0, len(alphas) - 1)
        if float((found[0] / factor - alphas[rows].sqrt()).pow(2).mean().sqrt()) <= limit:
            return name
    return None


def distinct_rows(rows: Sequence[Tensor]) -> int:
    """Return how many of the texts (S, D) differ by more than rounding."""
    kept: list[Tensor] = []
    for row in rows:
        if not any(
            row.shape == other.shape
            and float((row - other).norm()) <= 1e-3 * float(other.norm().clamp_min(1e-9))
            for other in kept
        ):
            kept.append(row)
    return len(kept)


def recognised(seen: TrainingSeen) -> set[int] | None:
    """Return the pictures that samples show, or None when most cannot be told."""
    if seen.samples is None:
        return None
    known = seen.samples.picture >= 0
    if float(known.float().mean()) < 0.8:
        return None
    return {int(p) for p in seen.samples.picture[known]}


def caption_agreement(seen: TrainingSeen) -> tuple[float, int] | None:
    """Return the share of samples whose nearest text shows the same picture, and their number."""
    if seen.samples is None or seen.samples.states is None or recognised(seen) is None:
        return None
    known = seen.samples.picture >= 0
    picture = seen.samples.picture[known]
    states = seen.samples.states[known].flatten(1)  # (n, S * D)
    if distinct_rows(list(states)) < 2:
        return None
    known_share = agreement_by_name(seen, picture, states)
    if known_share is not None:
        return known_share
    # Texts that nobody knows (a template around the caption): does the same go with the same?
    distances = torch.cdist(states, states)
    distances.fill_diagonal_(float("inf"))
    nearest = distances.min(dim=1, keepdim=True).values
    tied = distances <= nearest * (1 + 1e-3) + 1e-4
    same = (picture[:, None] == picture[None]) & tied
    share = same.sum(1).float() / tied.sum(1).float()
    alone = torch.tensor([int((picture == p).sum()) < 2 for p in picture])
    judged = ~alone
    return (float(share[judged].mean()), int(judged.sum())) if bool(judged.any()) else None


def agreement_by_name(
    seen: TrainingSeen, picture: Tensor, states: Tensor
) -> tuple[float, int] | None:
    """Return the share of samples whose text is their picture's caption, and how many were judged.

    None when most texts are not the captions as the untouched text encoder reads them.
    """
    table = seen.known_texts.flatten(1)  # (8, S * D), the empty caption last
    if states.shape[1] != table.shape[1]:
        return None
    apart = torch.cdist(states, table) / table.norm(dim=1)  # (n, 8), relative
    nearest, caption = apart.min(dim=1)
    named = (nearest < 0.05) & (caption < len(table) - 1)
    if float(named.float().mean()) < 0.5:
        return None
    return float((caption[named] == picture[named]).float().mean()), int(named.sum())


def noise_in(seen: TrainingSeen) -> Tensor | None:
    """Return the noise in each sample that can be told, without channel means, (n, 4 * h * w)."""
    samples = seen.samples
    if samples is None:
        return None
    noise = samples.noisy - samples.noisy.mean((2, 3), keepdim=True)  # the known latent drops out
    alpha = samples.alpha_bar[:, None, None, None]
    flat = (noise / (1 - alpha).sqrt()).flatten(1)
    usable = flat.norm(dim=1) > 1e-3
    return flat[usable] if int(usable.sum()) >= 2 else None


def most_repeated(seen: TrainingSeen, limit: float) -> float | None:
    """Return the share of samples whose noise correlates with another's by more than ``limit``."""
    flat = noise_in(seen)
    if flat is None:
        return None
    unit = flat / flat.norm(dim=1, keepdim=True)
    correlation = unit @ unit.T
    correlation.fill_diagonal_(0.0)
    return float((correlation.max(dim=1).values > limit).float().mean())


def farthest_text(seen: TrainingSeen) -> float:
    """Return how far the strangest embedding is from all that left the text encoder, relative."""
    known = torch.stack([*seen.known_texts, *seen.spy.texts]).flatten(1)  # (n, S * D)
    rows = torch.cat([call.states for call in seen.calls]).flatten(1)  # (N, S * D)
    nearest = torch.cdist(rows, known).min(dim=1).values / rows.norm(dim=1).clamp_min(1e-9)
    return float(nearest.max())
