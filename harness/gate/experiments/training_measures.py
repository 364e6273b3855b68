"""From what a watched training saw to the numbers of its properties."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from harness.gate.experiments.loss_precision import precision_of
from harness.gate.experiments.pipelines import changed
from harness.gate.profile.property import Measured, Value
from harness.gate.profile.training_watch import LEVEL, MISSES, SPREAD, codes, which_card

if TYPE_CHECKING:
    from harness.gate.experiments.training_trace import Trace, TrainingTraces

Values = dict[str, Value]

FEW = 24  # samples below which nothing is said
ROUNDED = 0.3  # scatter of told timesteps, in steps, above which they are not those of the noise
SAME_TEXT = 0.02  # relative distance of two embeddings that are the same text
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of the reference's AdamW


def mean(values: Tensor) -> float | None:
    """Return the mean, or None of nothing."""
    return float(values.double().mean()) if values.numel() else None


def distinct(values: Tensor) -> Tensor:
    """Return each value once, in ascending order."""
    ordered = values.flatten().sort().values
    keep = torch.ones(len(ordered), dtype=torch.bool)
    keep[1:] = ordered[1:] != ordered[:-1]
    return ordered[keep]


def correlation(a: Tensor, b: Tensor) -> float | None:
    """Return the correlation of two lists of numbers, without taking their means off."""
    norm = float(a.double().norm() * b.double().norm())
    return float((a.double() * b.double()).sum()) / norm if norm > 0 else None


@dataclass
class Samples:
    """Every picture that went through the U-Net with a loss, one row each, in order."""

    trace: Trace

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
    def scatter(self) -> float:
        """The deviation of the told timesteps from those of the noise; rounding gives 1."""
        apart = self.told - self.used
        near = apart[(apart - apart.median()).abs() <= 4]
        return float(near.std()) if len(near) >= FEW else 0.0

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
        near = (self.told - self.used).abs() <= (2 if self.scatter < ROUNDED else 0)
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


@dataclass
class Texts:
    """Which text the U-Net was given with each sample."""

    samples: Samples

    def __post_init__(self) -> None:
        table = self.samples.trace.texts  # (8, S, D)
        self.empty = len(table) - 1
        self.keys: list[str] = []
        self.far: list[float] = []
        self.lengths: set[int] = set()
        unknown: list[Tensor] = []
        flat = table.flatten(1)
        norms = flat.norm(dim=1).clamp_min(1e-9)
        for call in self.samples.calls:
            rows = call.states
            if len(rows) != len(call.sample):
                rows = rows.expand(len(call.sample), *rows.shape[1:])
            self.lengths.add(rows.shape[1])
            fits = rows.shape[1:] == table.shape[1:]
            apart = torch.cdist(rows.flatten(1), flat) / norms if fits else None
            nearest = apart.min(dim=1) if apart is not None else None
            for i, row in enumerate(rows):
                if nearest is not None and float(nearest.values[i]) <= SAME_TEXT:
                    self.keys.append(str(int(nearest.indices[i])))
                    self.far.append(float(nearest.values[i]))
                elif float(row.abs().max()) < 1e-6:
                    self.keys.append("zeros")
                else:
                    self.keys.append(f"unknown {place_in(unknown, row)}")
        own = [str(int(card)) for card in self.samples.card]
        self.own = [key == mine for key, mine in zip(self.keys, own, strict=True)]
        self.dropped_key = self._dropped_key()

    def _dropped_key(self) -> str:
        """Return the text that stands for dropped captions: one that comes with all pictures."""
        empty, total = str(self.empty), max(1, len(self.keys))
        if self.keys.count(empty) > 0.02 * total:
            return empty
        others = [k for k, own in zip(self.keys, self.own, strict=True) if not own]
        if not others:
            return empty
        common = max(set(others), key=others.count)
        pictures = {
            int(c) for c, k in zip(self.samples.card, self.keys, strict=True) if k == common
        }
        asked = self.samples.trace.config.caption_dropout
        if len(pictures) < 6 or others.count(common) < max(0.8 * len(others), 0.3 * asked * total):
            return empty
        return common

    @property
    def readable(self) -> bool:
        """Whether texts can be told by their embeddings: those of a trained encoder move."""
        return bool(self.keys) and not self.samples.trace.trains_text

    @property
    def dropped(self) -> Tensor:
        """Which samples have no caption, (N,) bool."""
        return torch.tensor([key == self.dropped_key for key in self.keys], dtype=torch.bool)

    def name_of(self, key: str) -> str:
        """Return a text in words."""
        if key == str(self.empty):
            return "the empty caption"
        return f"picture {int(key) + 1}'s caption" if key.isdigit() else key.split()[0]


def place_in(known: list[Tensor], row: Tensor) -> int:
    """Return the number of a text among the unknown ones; at most 32 are kept."""
    for i, other in enumerate(known):
        if other.shape == row.shape and float((other - row).norm()) <= SAME_TEXT * float(
            other.norm().clamp_min(1e-9)
        ):
            return i
    if len(known) < 32:
        known.append(row)
    return len(known)


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


def measured(traces: TrainingTraces) -> Measured:
    """Return the values of every property of the group."""
    samples = Samples(traces.long)
    texts = Texts(samples)
    losses = Losses(samples, texts.dropped)
    return {
        "training.pixels": pixels(traces),
        "training.encoding": {"with gradients": "yes" if traces.long.encoder.with_grad else "no"},
        "training.precision": precision(traces.long),
        "training.latents": latents(traces, samples),
        "training.schedule": schedule(samples),
        "training.timesteps_told": told(samples),
        "training.timesteps": drawn(samples),
        "training.noise": noise(samples),
        "training.captions": captions(texts),
        "training.texts": {
            "share that is no caption": strange_texts(traces.long),
            "the same of captions that do not fit": strange_texts(traces.spread),
            "the text encoder is given": "words" if traces.long.untokenized else "token ids",
        },
        "training.embeddings": embeddings(texts),
        "training.caption_dropout": caption_dropout(texts),
        "training.dropped_caption": {
            "it is": texts.name_of(texts.dropped_key) if texts.readable else None
        },
        "training.target": target(losses),
        "training.prediction_type": prediction_type(traces),
        "training.loss": loss_shape(losses),
        "training.loss_weights": loss_weights(losses),
        "training.gradients": gradients(traces.long),
        "training.clipping": clipping(traces.long),
        "training.optimizer": optimizer(traces.long),
        "training.learning_rate": learning_rate(traces.long),
        "training.trained": trained(traces.long),
        "training.steps": steps(traces.long),
        "training.batch": batch(samples),
        "training.order": order(samples),
        "training.losses": returned_losses(traces.long, losses),
        "training.returned": returned(traces.long),
        "training.seed": seed(traces),
        "training.repeatable": repeatable(traces),
        "training.generators": generators(traces, texts),
        "training.mode": mode(traces.long),
        "training.left_behind": left_behind(traces.long),
        "training.second_run": second_run(traces),
    }


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
        return {"shift": None, "told right": None, "scatter": None, "whole numbers": None}
    shift = float((samples.told - samples.used).median())
    right = ((samples.told - samples.used - shift).abs() <= 2).float().mean()
    late = samples.used > 300  # where one step more changes the amount enough to be read
    exact = (samples.told - samples.used)[~late & (samples.used > 20)]
    return {
        "shift": float(exact.mean()) if float(right) > 0.9 and exact.numel() >= FEW else shift,
        "told right": float(right),
        "scatter": samples.scatter,
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


def spread_by(cards: Tensor, values: Tensor) -> float | None:
    """Return how far the means of the pictures are apart."""
    parts = [values[cards == card] for card in range(len(codes()))]
    means = [float(part.double().mean()) for part in parts if len(part) >= FEW]
    return max(means) - min(means) if len(means) > 1 else None


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


def captions(texts: Texts) -> Values:
    """Whether a picture is trained with its own caption."""
    if not texts.readable:
        return {"share with another picture's": None}
    kept = [k for k in texts.keys if k != texts.dropped_key]
    others = [
        not own and key.isdigit() and key != str(texts.empty)
        for key, own in zip(texts.keys, texts.own, strict=True)
        if key != texts.dropped_key
    ]
    return {"share with another picture's": sum(others) / len(kept) if kept else None}


def strange_texts(trace: Trace) -> float | None:
    """Return the share of the texts that were encoded that are no caption, whole or left out."""
    encoded = trace.encoded
    known = set(trace.captions)
    return sum(ids not in known for ids in encoded) / len(encoded) if encoded else None


def embeddings(texts: Texts) -> Values:
    """Whether the text reaches the U-Net as ``generate`` would send it."""
    if not texts.readable:
        return {}
    kept = [k for k in texts.keys if k != texts.dropped_key]
    unknown = sum(k.startswith("unknown") or k == "zeros" for k in kept)
    return {
        "tokens": ", ".join(map(str, sorted(texts.lengths))),
        "share of other texts": unknown / len(kept) if kept else None,
        "distance from a caption's": statistics.median(texts.far) if texts.far else None,
    }


def caption_dropout(texts: Texts) -> Values:
    """How often a caption is dropped."""
    dropped = texts.dropped
    if not texts.readable:
        return {}
    steps = texts.samples.step
    shares = torch.stack([dropped[steps == s].double().mean() for s in distinct(steps)])
    share = float(dropped.double().mean())
    size = len(dropped) / max(1, len(shares))
    chance = (share * (1 - share) / max(1.0, size)) ** 0.5
    together = float(shares.std()) / chance if len(shares) > 2 and chance > 0 else None
    return {
        "share": share,
        "together, as a multiple of chance": together,
        "difference between pictures": spread_by(texts.samples.card, dropped.double()),
    }


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


def known_norms(trace: Trace) -> dict[int, float]:
    """Return the norm of the gradient that came back in each step, before any clipping."""
    sums: dict[int, float] = {}
    for call in trace.watch.calls:
        if call.output_grad is not None and call.miss is not None:
            along = float((call.output_grad.double() * call.miss.sign()).sum())
            steep = trace.watch.steepness(call.after_steps)
            sums[call.after_steps] = sums.get(call.after_steps, 0.0) + along * steep
    return {step: abs(value) for step, value in sums.items()}


def norms(trace: Trace) -> list[tuple[int, float, float, float | None]]:
    """Return step, norm that came back, norm at the optimiser, and cosine, for every step."""
    known, found = known_norms(trace), []
    by_step: dict[int, list[tuple[float, float | None]]] = {}
    for one in trace.watch.steps:
        by_step.setdefault(one.number, []).append((one.grad_norm, one.cosine))
    for step, parts in by_step.items():
        total = sum(norm**2 for norm, _ in parts) ** 0.5
        cosines = [c for _, c in parts if c is not None]
        if step in known and known[step] > 0:
            found.append((step, known[step], total, min(cosines) if cosines else None))
    return found


def gradients(trace: Trace) -> Values:
    """Whether the optimiser gets the gradient of this step, where nothing is clipped."""
    limit = trace.watch.max_grad_norm
    found = norms(trace)
    # A loop that clips to less, or by another norm, clips small gradients, too.
    clipped = [n for _, k, n, _ in found if k > 4 * limit]
    limit = min(limit, statistics.median(clipped)) if clipped else limit
    free = [(k, n) for step, k, n, _ in found if k < limit / 4 and step % 4 != 3]
    return {
        "at the optimiser, as a multiple of what came back": statistics.median(
            n / k for k, n in free
        )
        if len(free) >= 3
        else None
    }


def clipping(trace: Trace) -> Values:
    """What becomes of a gradient that is too long."""
    limit = trace.watch.max_grad_norm
    long = [(k, n, c) for _, k, n, c in norms(trace) if k > 4 * limit]
    cosines = [abs(c) for *_, c in long if c is not None]
    return {
        "norm afterwards, as a multiple of max_grad_norm": statistics.median(
            n / limit for _, n, _ in long
        )
        if len(long) >= 3
        else None,
        "direction kept (cosine)": statistics.median(cosines) if len(cosines) >= 3 else None,
    }


def optimizer(trace: Trace) -> Values:
    """Which optimiser it is, and whether its updates are those of AdamW."""
    kinds = sorted({one.kind for one in trace.watch.steps})
    return {
        "it is": "; ".join(kinds) or "none of torch's",
        "distance of its updates from AdamW's": update_distance(trace),
    }


def update_distance(trace: Trace) -> float | None:
    """Follow AdamW on the gradients that the optimiser found, and compare the updates."""
    distances: list[float] = []
    for place in range(len(trace.watch.watched)):
        first, second, count = None, None, 0
        for one in trace.watch.steps:
            seen = one.grads[place] if one.grads else None
            rate = one.rate_of[place] if one.rate_of else None
            if not one.after or seen is None or rate is None:
                continue
            grad = seen.double()
            count += 1
            first = grad * (1 - BETA1) if first is None else BETA1 * first + (1 - BETA1) * grad
            square = grad.square() * (1 - BETA2)
            second = square if second is None else BETA2 * second + square
            top = first / (1 - BETA1**count)
            below = (second / (1 - BETA2**count)).sqrt() + EPSILON
            decay = trace.config.weight_decay * one.before[place].double()
            wanted = -rate * (top / below + decay)
            made = one.after[place].double() - one.before[place].double()
            norm = float(wanted.norm())
            if norm > 0:
                distances.append(float((made - wanted).norm()) / norm)
    return statistics.median(distances) if distances else None


def learning_rate(trace: Trace) -> Values:
    """The learning rate of some steps, and over the groups."""
    rates: dict[int, list[float]] = {}
    for one in trace.watch.steps:
        rates.setdefault(one.number, []).extend(one.rates)
    if not rates:
        return {}
    warm, asked = trace.config.lr_warmup_steps, trace.config.learning_rate
    last = max(rates)
    names = {
        "in step 1": 0,
        "in the middle of the warm-up": warm // 2 - 1,
        "after the warm-up": warm,
        "in the middle": last // 2,
        "in the last step": last,
    }
    found: Values = {
        name: max(rates[step]) / asked if step in rates else None for name, step in names.items()
    }
    high, low = max(rates[last]), min(rates[last])
    found["fastest group beside the slowest"] = high / low if low else None
    return found


def trained(trace: Trace) -> Values:
    """Which of the adapter's tensors are trained, and what else is."""
    if not trace.watch.steps:
        return {"share of the adapter that moved": trace.moved_share}
    held = frozenset().union(*(one.held for one in trace.watch.steps))
    mine = frozenset(trace.watch.number)
    return {
        "share of the adapter in the optimiser": len(held & mine) / max(1, len(mine)),
        "share of the adapter that moved": trace.moved_share,
        "other tensors in the optimiser": float(len(held - mine)),
    }


def steps(trace: Trace) -> Values:
    """How many steps were made, reported and returned, as a multiple of those asked for."""
    asked = trace.config.steps
    return {
        "made": trace.watch.rounds / asked if trace.watch.steps else None,
        "reported": len(trace.reports.numbers) / asked,
        "numbered": ", ".join(map(str, trace.reports.numbers[:3])),
        "losses returned": len(trace.losses) / asked,
    }


def batch(samples: Samples) -> Values:
    """How many pictures a step learns from."""
    asked = samples.trace.config
    made = max(1, len(distinct(samples.step)))
    return {
        "pictures a step, of those asked for": len(samples) / (made * asked.batch_size),
        "different noise, as a share of the pictures": len(
            distinct(samples.x.double().flatten(1).sum(1))
        )
        / max(1, len(samples)),
    }


def order(samples: Samples) -> Values:
    """In which order the pictures come."""
    cards = samples.card
    count = len(codes())
    rounds = len(cards) // count
    if rounds < 4:
        return {}
    turns = cards[: rounds * count].view(rounds, count)
    whole = [len(set(turn)) == count for turn in turns.tolist()]
    changed = (turns[1:] != turns[:-1]).any(1).double()
    counts = torch.bincount(cards, minlength=count)
    return {
        "rounds with every picture once": sum(whole) / rounds,
        "rounds in another order than the one before": float(changed.mean()),
        "rarest picture beside the commonest": float(counts.min() / counts.max()),
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


def returned(trace: Trace) -> Values:
    """Whether the weights handed back are those of the last step."""
    if not trace.watch.latest:
        return {"distance from the last step's": None}
    pairs = zip(trace.returned, trace.watch.latest, strict=True)
    apart = sum(float((a - b).double().norm()) for a, b in pairs)
    size = sum(float(b.double().norm()) for b in trace.watch.latest)
    return {"distance from the last step's": apart / size if size else 0.0}


def first_draws(trace: Trace) -> tuple[Tensor, Tensor]:
    """Return timesteps and noise of the first steps."""
    samples = Samples(trace)
    early = samples.step < 3
    return samples.told[early], samples.noise[early]


def same_dropped(first: Texts, second: Texts) -> bool:
    """Tell whether two trainings dropped the captions of the same places in their first steps."""
    if not (first.readable and second.readable):
        return True
    count = min(len(first.keys), len(second.keys))
    return torch.equal(first.dropped[:count], second.dropped[:count])


def same_draws(one: Trace, other: Trace) -> bool:
    """Tell whether two trainings drew the same timesteps and noise."""
    (t, n), (u, m) = first_draws(one), first_draws(other)
    if t.shape != u.shape or not torch.equal(t, u):
        return False
    # The noise can be read where it was mixed as the base's schedule says.
    readable = not Samples(one).fits_another_schedule and Samples(one).told_right > 0.9
    return not readable or (n.shape == m.shape and bool(torch.allclose(n, m, atol=0.1)))


def seed(traces: TrainingTraces) -> Values:
    """Whether another seed gives other draws."""
    same = same_draws(traces.long, traces.other_seed)
    return {"another seed": "changes nothing" if same else "gives other draws"}


def repeatable(traces: TrainingTraces) -> Values:
    """Whether the same training again gives the same draws."""
    same = traces.again is None or same_draws(traces.long, traces.again)
    return {"the same again": "gives the same draws" if same else "gives other draws"}


def generators(traces: TrainingTraces, texts: Texts) -> Values:
    """Whether the draws hang on the generators that the process shares."""
    mine = [name for name in traces.long.generators.split(", ") if name not in ("torch", "none")]
    return {
        "draws from": "the process's" if traces.again is not None else "its own",
        "drops captions by": "its own"
        if same_dropped(texts, Texts(Samples(traces.backwards)))
        else "the process's",
        # The reference seeds torch's at every step, for dropout: leaving it moved is no harm.
        "leaves moved": ", ".join(mine) or "none but torch's",
    }


def mode(trace: Trace) -> Values:
    """In which mode the U-Net trains."""
    calls = trace.watch.calls
    share = sum(call.training for call in calls) / len(calls) if calls else None
    return {"share of calls in training mode": share}


def left_behind(trace: Trace) -> Values:
    """Flags and settings that are others afterwards."""
    return {"changed": changed(trace.state_before, trace.state_after)}


def second_run(traces: TrainingTraces) -> Values:
    """Whether a second training in the process sees its own pictures, not the first one's."""
    one, two = Samples(traces.long), Samples(traces.backwards)
    early, late = one.card[one.step < 3], two.card[two.step < 3]
    texts = Texts(two)
    count = float(len(distinct(two.timesteps)))
    wrong = captions(texts)["share with another picture's"]
    if early.shape != late.shape or not same_draws(traces.long, traces.backwards):
        # Its draws are others, so only the captions can tell.
        return {
            "pictures of the first": None,
            "captions of the first": wrong,
            "different timesteps, after a drawing": count,
        }
    wanted = len(codes()) - 1 - early
    stale = ((late == early) & (late != wanted)).double().mean()
    return {
        "pictures of the first": float(stale),
        "captions of the first": wrong,
        "different timesteps, after a drawing": count,
    }
