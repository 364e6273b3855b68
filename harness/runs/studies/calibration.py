"""What the protocol can show: the noise of the reference, and known orders that it has to find.

Variants of the reference whose order every practitioner would predict are trained and scored like
any contribution. If the board could not tell them apart, it could not rank strangers' work either.
"""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.machine import describe_machine
from harness.protocol.row import Machine
from harness.protocol.statistics.intervals import t_interval
from harness.protocol.statistics.planning import minimum_detectable_difference
from harness.protocol.track import PROTOCOL_VERSION, Track
from toolkit.core.record import Record
from toolkit.core.settings import LoraConfig, TrainSettings

FOLDER = paths.ROOT / "leaderboard" / "calibration"
REFERENCE = "reference"
LONGER = "10 % more steps"
PLANNED_SEEDS = (3, 5, 10)


@dataclass(frozen=True)
class Variant:
    """The reference with something changed."""

    label: str
    steps: float = 1.0  # times the budget
    rank: int | None = None
    learning_rate: float = 1.0  # times the default

    def contribution(self) -> Contribution:
        """Return the reference with this variant's settings, under a name of its own."""
        reference = registry.load_reference()
        settings = reference.file.settings
        lora = settings.lora if self.rank is None else LoraConfig(rank=self.rank)
        rate = TrainSettings().learning_rate * self.learning_rate
        train = settings.train.model_copy(update={"learning_rate": rate})
        changed = settings.model_copy(update={"lora": lora, "train": train})
        name = "".join(c if c.isalnum() else "_" for c in f"v_{self.label}")
        file = reference.file.model_copy(update={"name": name, "settings": changed})
        return reference.model_copy(update={"file": file})

    def budget(self, steps: int) -> int:
        """Return this variant's optimiser steps."""
        return max(1, round(self.steps * steps))


VARIANTS = (
    Variant(LONGER, steps=1.1),
    Variant("rank 1", rank=1),
    Variant("rank 16", rank=16),
    Variant("learning rate x 10", learning_rate=10),
    Variant("learning rate / 10", learning_rate=0.1),
    Variant("half the steps", steps=0.5),
    Variant("double the steps", steps=2.0),
)

# (better, worse): what an expert would expect of this budget.
ORDERS = (
    ("reference", "rank 1"),
    ("rank 16", "rank 1"),
    ("reference", "learning rate x 10"),
    ("reference", "learning rate / 10"),
    ("reference", "half the steps"),
    ("double the steps", "reference"),
)


class Spread(Record):
    """Gains of one variant over seeds."""

    per_seed: tuple[float, ...]  # seeds 0, 1, 2, ...
    mean: float
    deviation: float | None


class Order(Record):
    """One expectation and what was found."""

    better: str
    worse: str
    difference: float
    interval: tuple[float, float] | None
    found: bool


class Calibration(Record):
    """What the protocol can show, on one track."""

    track: str
    protocol_version: int
    protocol_hash: str
    reference_hash: str
    gains: dict[str, Spread]
    sigma: float
    paired_sigma_of_a_twin: float | None
    paired_sigma: float
    gain_per_10_percent_steps: float | None
    detectable: dict[int, float]
    detectable_between_twins: dict[int, float]
    orders: tuple[Order, ...]
    machine: Machine
    created_at: datetime.datetime


def summarise(track: Track, gains: Mapping[str, Sequence[float]], layer: str) -> Calibration:
    """Turn gains per variant, one per seed in the same order, into what can be shown.

    Noise, pictures and timesteps are drawn from the seed, so two methods that train alike move
    alike, and their paired difference has less spread than either. How much less depends on how
    alike they are. Two cases are given: a twin (10 % more steps, the same run up to there), and
    another method (the median over the other variants); where no variant was run for it, two
    independent draws are assumed, sigma times the square root of two.
    """
    reference = list(gains[REFERENCE])
    sigma = statistics.stdev(reference)
    longer = paired(gains.get(LONGER, ()), reference)
    twin = statistics.stdev(longer) if len(longer) > 2 else None
    others = [
        statistics.stdev(differences)
        for label, values in gains.items()
        if label not in (REFERENCE, LONGER) and len(differences := paired(values, reference)) > 2
    ]
    paired_sigma = statistics.median(others) if others else sigma * 2**0.5
    return Calibration(
        track=track.file.name,
        protocol_version=PROTOCOL_VERSION,
        protocol_hash=track.protocol_hash(),
        reference_hash=registry.load_reference().content_hash,
        gains={label: spread(values) for label, values in gains.items()},
        sigma=sigma,
        paired_sigma_of_a_twin=twin,
        paired_sigma=paired_sigma,
        gain_per_10_percent_steps=statistics.fmean(longer) if longer else None,
        detectable=detectable(paired_sigma),
        detectable_between_twins={} if twin is None else detectable(twin),
        orders=tuple(
            order(better, worse, gains)
            for better, worse in ORDERS
            if better in gains and worse in gains
        ),
        machine=describe_machine(1, layer),
        created_at=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
    )


def detectable(deviation: float) -> dict[int, float]:
    """Return the smallest difference that each number of seeds mostly finds."""
    return {n: minimum_detectable_difference(deviation, n) for n in PLANNED_SEEDS}


def spread(values: Sequence[float]) -> Spread:
    """Return the values with their mean and standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return Spread(per_seed=tuple(values), mean=statistics.fmean(values), deviation=deviation)


def order(better: str, worse: str, gains: Mapping[str, Sequence[float]]) -> Order:
    """Compare two variants, paired by the seeds that both were trained with."""
    differences = paired(gains[better], gains[worse])
    interval = t_interval(differences)
    return Order(
        better=better,
        worse=worse,
        difference=statistics.fmean(differences),
        interval=interval,
        found=interval is not None and interval[0] > 0,
    )


def paired(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """Return differences over the seeds that both have: both start with the same ones."""
    return [a - b for a, b in zip(one, other, strict=False)]
