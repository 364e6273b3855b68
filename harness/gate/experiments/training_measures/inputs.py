"""What the VAE and the U-Net are given: pixels, latents, noise, timesteps."""

from __future__ import annotations

import statistics

import torch
from torch import Tensor

from harness.gate.experiments.training_measures.numbers import (
    FEW,
    correlation,
    distinct,
    mean,
)
from harness.gate.experiments.training_measures.samples import Samples, spread_by
from harness.gate.experiments.training_trace import Trace, TrainingTraces
from harness.gate.profile.property import Values
from harness.gate.profile.training_watch import LEVEL, SPREAD, codes


def pixels(traces: TrainingTraces) -> Values:
    """What reaches the VAE."""
    seen = traces.long.encoder
    known = seen.low <= seen.high
    return {
        "lowest pixel": seen.low if known else None,
        "highest pixel": seen.high if known else None,
        "distance from the data set's": seen.apart if known else None,
    }


def precision(trace: Trace) -> Values:
    """In which precision the U-Net is asked, and with which further arguments."""
    calls = trace.watch.calls
    kinds = {"half, by autocast" if c.autocast else str(c.output_dtype)[6:] for c in calls}
    return {
        "the U-Net computes in": ", ".join(sorted(kinds)),
        "it is given besides": ", ".join(sorted({n for c in calls for n in c.besides}))
        or "nothing",
    }


def latents(traces: TrainingTraces, samples: Samples) -> Values:
    """How the VAE's answer becomes latents: the factor, and the use of the spread."""
    values: Values = {
        "factor": samples.factor if len(samples) else None,
        "spread of the sample": None,
        "mean of the sample": None,
        "alike in a batch": None,
        "alike from step to step": None,
        "alike to the noise": None,
    }
    wide = Samples(traces.spread)
    clear = wide.alpha_told > 0.5
    if int(clear.sum()) < FEW or samples.factor == 0:
        return values
    code = codes()[wide.card][:, :, None, None]
    root = wide.alpha_told.sqrt()[:, None, None, None]
    drawn = (wide.x / (root * samples.factor) - code * LEVEL) / SPREAD  # (N, 4, h, w)
    spread = float(drawn[clear].std())
    values["spread of the sample"] = spread
    values["mean of the sample"] = mean(drawn[clear])
    if spread < 0.2:
        return values
    first, second = wide.pairs(other_step=False)
    keep = clear[first] & clear[second]
    values["alike in a batch"] = correlation(drawn[first[keep]], drawn[second[keep]])
    early = samples.step <= int(wide.step.max())
    if torch.equal(samples.told[early], wide.told) and torch.equal(samples.card[early], wide.card):
        values["alike to the noise"] = correlation(drawn[clear], samples.noise[early][clear])
    same: list[float] = []
    for card in range(len(codes())):
        rows = ((wide.card == card) & clear).nonzero().flatten()
        a, b = rows[:-1], rows[1:]
        apart = wide.step[a] != wide.step[b]
        found = correlation(drawn[a[apart]], drawn[b[apart]])
        same += [] if found is None else [found]
    values["alike from step to step"] = statistics.mean(same) if same else None
    return values


def schedule(samples: Samples) -> Values:
    """Whether picture and noise are mixed as the base's betas say."""
    apart = samples.fits_another_schedule
    return {"distance from the base's": samples.schedule_distance if apart else 0.0}


def told(samples: Samples) -> Values:
    """Which timestep the U-Net is told, beside the amount of noise in its input."""
    if samples.fits_another_schedule or not len(samples):
        return {
            "shift": None,
            "told right": None,
            "finest step, beside the noise's": None,
            "whole numbers": None,
        }
    shift = float((samples.told - samples.used).median())
    right = ((samples.told - samples.used - shift).abs() <= 2).float().mean()
    late = samples.used > 300  # where one step more changes the amount enough to be read
    exact = (samples.told - samples.used)[~late & (samples.used > 20)]
    return {
        "shift": float(exact.mean()) if float(right) > 0.9 and exact.numel() >= FEW else shift,
        "told right": float(right),
        "finest step, beside the noise's": samples.coarseness,
        "whole numbers": "yes" if bool((samples.told == samples.told.round()).all()) else "no",
    }


def drawn(samples: Samples) -> Values:
    """The distribution of the timesteps."""
    t = samples.timesteps.double()
    if len(t) < FEW:
        return {}
    count = len(samples.trace.watch.alphas)
    ranks = t.sort().values
    uniform = (torch.arange(len(t)) + 0.5) / len(t)
    first, second = samples.pairs(other_step=False)
    return {
        "lowest": float(t.min()),
        "highest": float(t.max()),
        "mean": float(t.mean()),
        "distance from uniform": float(((ranks + 0.5) / count - uniform).abs().max()),
        "share of even ones": mean((t % 2 == 0).double()),
        "different ones": float(len(distinct(t))),
        "same as its neighbour's": mean((t[first] == t[second]).double()),
        "alike in a batch": correlation(t[first] - t.mean(), t[second] - t.mean()),
        "spread of the batches' means": spread_of_means(samples.step, t),
        "later mean beside the earlier": float(t[len(t) // 2 :].mean() - t[: len(t) // 2].mean()),
        "difference between pictures": spread_by(samples.card, t),
    }


def spread_of_means(steps: Tensor, t: Tensor) -> float | None:
    """Return how far the means of batches scatter, as a multiple of what independent draws do.

    0 where every batch is spread over the schedule, the size of the batch where all its pictures
    have the same timestep.
    """
    batches = [t[steps == step] for step in distinct(steps)]
    spread = float(t.var())
    if len(batches) < FEW or spread == 0:
        return None
    apart = [len(batch) * float(batch.mean() - t.mean()) ** 2 for batch in batches]
    return statistics.fmean(apart) / spread


def noise(samples: Samples) -> Values:
    """The noise in the inputs."""
    if len(samples) < FEW:
        return {}
    n = samples.noise
    alpha = samples.alpha_told
    n = torch.where((alpha < 0.999)[:, None, None, None], n, torch.nan)
    usable = ~n.isnan().flatten(1).any(1)
    first, second = samples.pairs(other_step=False)
    keep = usable[first] & usable[second]
    nxt, after = samples.pairs(other_step=True)
    later = usable[nxt] & usable[after]
    clean = n[usable]
    size = clean[0].shape[-1] * clean[0].shape[-2] if len(clean) else 1
    channel_means = clean.mean((2, 3))
    return {
        "mean": mean(clean),
        "deviation": float(clean.std()),
        "fourth moment": mean(clean.square().square().clamp_max(1e6)),
        "alike in a batch": correlation(n[first[keep]], n[second[keep]]),
        "alike from step to step": correlation(n[nxt[later]], n[after[later]]),
        "most alike in a batch": likeness(n[(samples.step == samples.step[0]) & usable]),
        "most alike in two steps": likeness(n[(samples.slot == 0) & usable]),
        "alike in two channels": correlation(clean[:, 0], clean[:, 1]),
        "alike in neighbouring places": correlation(clean[..., 1:], clean[..., :-1]),
        "deviation of a channel's mean, as a multiple of chance": float(channel_means.std())
        * size**0.5,
    }


def likeness(noise: Tensor) -> float | None:
    """Return the strongest correlation of two noises (N, 4, h, w), whatever its sign."""
    if len(noise) < 2:
        return None
    rows = torch.nn.functional.normalize(noise.flatten(1), dim=1)
    return float((rows @ rows.T).fill_diagonal_(0).abs().max())
