"""The figures by name: how to read each off a row, which way is better, how to say it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.protocol.figures import Figures
from harness.protocol.statistics.intervals import Interval, t_interval


@dataclass(frozen=True)
class FigureKind:
    """One figure of a trained model."""

    name: str
    better: str  # "higher" or "lower"
    meaning: str
    read: Callable[[Figures], float | None]
    shape: str  # of format()


FIGURES = (
    FigureKind(
        "gain",
        "higher",
        "by how much the held-out loss falls below the base's",
        lambda f: f.gain,
        ".1%",
    ),
    FigureKind(
        "hit rate",
        "higher",
        "share of its pictures that show what was taught",
        lambda f: f.pictures.hit_rate,
        ".0%",
    ),
    FigureKind(
        "similarity",
        "higher",
        "of its pictures to the held-out pictures, by the judge's features",
        lambda f: f.pictures.similarity,
        ".3f",
    ),
    FigureKind(
        "prompt adherence",
        "higher",
        "share of the asked colours that its pictures show",
        lambda f: f.pictures.prompt_adherence,
        ".0%",
    ),
    FigureKind(
        "drift",
        "lower",
        "how far its predictions for unrelated prompts moved from the base's",
        lambda f: f.drift,
        ".3f",
    ),
    FigureKind(
        "class drift",
        "lower",
        "the same for the class of what was taught, without the taught word",
        lambda f: f.class_drift,
        ".3f",
    ),
    FigureKind(
        "picture drift",
        "lower",
        "how far its pictures of unrelated prompts moved, same seeds",
        lambda f: f.picture_drift,
        ".3f",
    ),
    FigureKind(
        "overfit gap",
        "lower",
        "gain on training pictures less gain on held-out pictures",
        lambda f: f.overfit_gap,
        "+.1%",
    ),
    FigureKind(
        "memorisation",
        "lower",
        "nearness to training pictures less nearness to held-out pictures",
        lambda f: f.pictures.memorisation,
        "+.3f",
    ),
    FigureKind(
        "copies",
        "lower",
        "share of its pictures that are a training picture, by pixels",
        lambda f: f.pictures.copies,
        ".0%",
    ),
)


@dataclass(frozen=True)
class FigureLine:
    """One line of a table: a figure of the base and of two models, and how clear a difference is.

    Texts are ready to be shown; an unmeasured figure says so.
    """

    kind: FigureKind
    base: str
    one: str
    other: str
    interval: Interval | None
    word: str  # what the difference of one from the other amounts to

    @property
    def interval_text(self) -> str:
        """The interval of the difference as text."""
        if self.interval is None:
            return ""
        low, high = self.interval
        if self.kind.shape.endswith("%"):
            return f"{100 * low:+.1f} to {100 * high:+.1f} points"
        return f"{low:+.3f} to {high:+.3f}"


def figure_lines(
    base: Figures | None, one: Sequence[Figures], other: Sequence[Figures]
) -> list[FigureLine]:
    """Compare two models figure by figure, paired by seed.

    Args:
        base: The untouched base.
        one: Figures of one model, seed by seed.
        other: Those of the other with the same seeds.
    """
    lines = []
    for kind in FIGURES:
        mine, theirs = ([kind.read(figures) for figures in side] for side in (one, other))
        interval, word = None, "not measured"
        pairs = [
            (a, b) for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None
        ]
        if pairs and len(pairs) == len(mine):
            differences = [a - b for a, b in pairs]
            interval = t_interval(differences)
            word = difference_word(kind, differences, interval)
        lines.append(
            FigureLine(
                kind,
                mean_text(kind, [] if base is None else [kind.read(base)]),
                mean_text(kind, mine),
                mean_text(kind, theirs),
                interval,
                word,
            )
        )
    return lines


def difference_word(
    kind: FigureKind, differences: Sequence[float], interval: Interval | None
) -> str:
    """Say what a paired difference amounts to."""
    if not any(differences):
        return "equal"
    if interval is None:
        return "one seed: cannot tell"
    if interval[0] <= 0 <= interval[1]:
        return "no clear difference"
    return "better" if (interval[0] > 0) == (kind.better == "higher") else "worse"


def mean_text(kind: FigureKind, values: Sequence[float | None]) -> str:
    """Return the mean of a figure over seeds as text."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return "not measured" if values else ""
    return format(statistics.fmean(known), kind.shape)
