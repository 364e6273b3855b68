"""The figures of a row. ``docs/protocol.md`` defines each one; units and directions are here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.protocol.statistics.share import share_interval
from toolkit.core.record import Fraction, Record


class Loss(Record):
    """Held-out denoising loss (epsilon MSE) over the grid, in bands, and picture by picture."""

    mean: float = Field(ge=0)
    bands: tuple[float, float, float] = Field(description="low, middle, high timesteps")
    pictures: tuple[float, ...] = Field(
        default=(), description="mean over the grid of each held-out picture, by file name"
    )


class PictureFigures(Record):
    """What the judge and the pixels say about pictures of the taught prompts. Null: not measured.

    Every null is explained in the row's ``not_measured``.
    """

    similarity: float | None = Field(
        default=None, description="to the held-out pictures, cosine of features; higher is better"
    )
    prompt_adherence: Fraction | None = Field(
        default=None, description="share of the asked colours that the pictures show; higher"
    )
    memorisation: float | None = Field(
        default=None,
        description="cosine to the nearest training picture less that to the nearest held-out one; "
        "lower is better",
    )
    copies: Fraction = Field(
        description="share of pictures that are a training picture, by pixels; lower is better"
    )
    hits: tuple[bool, ...] = Field(
        default=(),
        description="for each picture whether it shows what was taught: that is the nearest of all "
        "candidates, or the asked colours are where they belong; empty: not measured",
    )

    @property
    def hit_rate(self) -> float | None:
        """The share of hits, 0 to 1; higher is better."""
        return hit_rate((self,))


def hit_rate(judged: Sequence[PictureFigures]) -> float | None:
    """Return the share of hits over the pictures of all seeds; None: not measured."""
    hits = [hit for pictures in judged for hit in pictures.hits]
    return sum(hits) / len(hits) if hits else None


def hit_interval(judged: Sequence[PictureFigures]) -> tuple[float, float] | None:
    """Return the 95 % interval of a hit rate over the pictures of all seeds; None: not measured."""
    hits = [hit for pictures in judged for hit in pictures.hits]
    return share_interval(sum(hits), len(hits))


class Figures(Record):
    """Everything the trusted scorer measures of one trained model."""

    heldout: Loss
    gain: float = Field(description="(base - own) / base held-out loss; higher is better")
    train_gain: float = Field(description="the same on training pictures")
    overfit_gap: float = Field(description="train_gain - gain; lower is better")
    drift: float = Field(
        ge=0,
        description="||own - base||^2 / ||base||^2 of the predicted noise, unrelated prompts; "
        "lower is better",
    )
    class_drift: float = Field(ge=0, description="the same on neighbour prompts; lower")
    picture_drift: Fraction = Field(
        description="mean difference of pixels to the base's pictures of unrelated prompts, same "
        "seeds, 1 = black against white; lower is better"
    )
    pictures: PictureFigures


class SeedScores(Record):
    """Everything measured for one seed; the reference is trained with the same seed."""

    seed: int
    own: Figures
    reference: Figures
    merge_error: float = Field(
        ge=0,
        description="relative error of base + delta against the trained model, by the worker",
    )
    train_seconds: float = Field(
        ge=0,
        description="on the hub's clock, from the import of the contribution to the end of the "
        "seed's process; in rows without cpu_seconds of the train hook alone",
    )
    cpu_seconds: float | None = Field(
        default=None,
        ge=0,
        description="processor time of all its processes in that time; null in older rows",
    )

    @property
    def gain(self) -> float:
        """The contribution's gain, higher is better."""
        return self.own.gain

    @property
    def reference_gain(self) -> float:
        """The reference's gain with the same seed."""
        return self.reference.gain


class OwnPictures(Record):
    """One seed of an unmergeable adapter: its own pictures, beside the reference's."""

    seed: int
    own: PictureFigures
    reference: PictureFigures
    train_seconds: float = Field(ge=0, description="as in SeedScores")


class Costs(Record):
    """What a row costs, by the parent's clock and the kernel's books; lower is better."""

    train_seconds: float = Field(ge=0, description="per training, mean over seeds, wall time")
    cpu_seconds: float | None = Field(
        default=None,
        ge=0,
        description="processor time per training, mean over seeds: of all its processes, from the "
        "import of the contribution to the delta, by the kernel; null in older rows",
    )
    reference_cpu_seconds: float | None = Field(
        default=None, ge=0, description="the same of the reference, in the same job"
    )
    cpu_ratio_interval: tuple[float, float] | None = Field(
        default=None, description="95 % interval of their ratio, over seeds; null with one seed"
    )
    reference_seconds: float = Field(
        ge=0, description="the same of the reference, trained in the same job on this machine"
    )
    steps_per_second: float = Field(ge=0)
    worker_seconds: float = Field(ge=0, description="wall time of the whole worker process")
    worker_cpu_seconds: float = Field(ge=0, description="processor time of it, from the kernel")
    peak_memory_bytes: int = Field(ge=0, description="largest resident memory that was seen")
    reference_memory_bytes: int | None = Field(
        default=None, ge=0, description="the same of the reference; null in older rows"
    )
    reference_parameters: int = Field(ge=0, description="the reference's trainable parameters")
    reference_bytes: int = Field(ge=0, description="size of the reference's adapter file")

    @property
    def time_ratio(self) -> float | None:
        """Cost as a multiple of the reference's; None when that took no time at all.

        By processor time; in older rows, which have none, by the wall time of the train hook.
        """
        if self.cpu_seconds is not None and self.reference_cpu_seconds:
            return self.cpu_seconds / self.reference_cpu_seconds
        return self.train_seconds / self.reference_seconds if self.reference_seconds else None


FlagKind = Literal[
    "unmergeable",
    "copies training pictures",
    "near-duplicate of a held-out picture",
    "time does not add up",
    "the reference did not repeat itself",
    "not deterministic",
    "stopped early",
    "over budget",
    "otherwise than in the gate",
    "cost not explained",
    "processes of its own",
    "brought along",
    "not confirmed",
]

# With one of these no verdict is given and no place on the board.
WITHHOLDING: tuple[FlagKind, ...] = (
    "over budget",
    "otherwise than in the gate",
    "cost not explained",
    "processes of its own",
    "brought along",
    "not confirmed",
    "near-duplicate of a held-out picture",
)


class Counted(Record):
    """What was counted while the first seed trained, by code in the contribution's process."""

    steps: int = Field(ge=0, description="optimiser steps; 0 without torch's optimisers")
    trained_pictures: int = Field(ge=0, description="through the U-Net, with gradients")
    other_pictures: int = Field(ge=0, description="through the U-Net, without gradients")
    rates: tuple[float, float] | None = Field(description="lowest and highest learning rate")
    attached: float = Field(
        ge=0, description="relative change of the base's prediction by the untrained adapter"
    )
    hook_seconds: dict[str, float] = Field(
        default={},
        description="hook -> processor time that its process counted in it; none in older rows",
    )


class Flag(Record):
    """Something a reader of the row has to know."""

    kind: FlagKind
    text: str = Field(description="one sentence with the figures")


Outcome = Literal["better", "worse", "no clear difference", "is the reference"]


class Verdict(Record):
    """The comparison with the reference, paired by seed."""

    outcome: Outcome
    gain: float = Field(description="mean over seeds")
    reference_gain: float
    difference: float = Field(description="gain - reference_gain, mean over seeds")
    interval: tuple[float, float] | None = Field(
        description="95 % interval of the difference (Student t over seeds); null with one seed"
    )
    wider_interval: tuple[float, float] | None = Field(
        default=None,
        description="95 % interval over other seeds and other pictures (bootstrap); null with one",
    )
    exactly_equal: bool = Field(
        default=False, description="every held-out loss is the reference's, to the last bit"
    )
    sentence: str
