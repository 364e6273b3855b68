"""The two plots of the figures' pages, as SVG: bars with their spread, and curves on log scales."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.core import templates

TEMPLATES = Path(__file__).with_name("templates")
OURS, THEIRS, FLOOR = "#2f6fde", "#8a8f98", "#c9ced6"
LINES = (OURS, "#d1495b", "#2a9d55", "#b7791f", "#7a4fd1", "#1b8a99", "#5a5f68")
LEFT, WIDTH, RIGHT, TOP = 230, 360, 130, 54  # px
BAR, GROUP = 19, 26  # px
CURVES_LEFT, HEIGHT = 80, 260  # px


@dataclass(frozen=True)
class Bar:
    """One bar, and how far the rounds were apart."""

    name: str
    middle: float
    low: float | None = None
    high: float | None = None
    colour: str = OURS


def render(template: str, **values: Any) -> str:
    """Return one of the benchmarks' templates, filled, with a line end."""
    return templates.render(TEMPLATES / template, **values).rstrip() + "\n"


def bars(
    title: str, measure: str, groups: Mapping[str, Sequence[Bar]], marks: Sequence[float] = ()
) -> str:
    """Return bars in groups, from zero.

    Args:
        title: Heading.
        measure: What the lengths are, with the unit.
        groups: Heading of a group -> its bars.
        marks: Where to draw a line through all of them, for instance at 1.
    """
    most = max(bar.high or bar.middle for group in groups.values() for bar in group)
    power = 10.0 ** math.floor(math.log10(most / 6))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= most / 6)
    ticks = [(n * step, f"{n * step:g}") for n in range(math.floor(most / step + 1e-9) + 1)]
    return render(
        "bars.svg",
        title=title,
        measure=measure,
        groups=groups,
        ticks=[*ticks, *((mark, "") for mark in marks if mark <= most)],
        x=lambda value: round(LEFT + WIDTH * value / most, 1),
        left=LEFT,
        top=TOP,
        width=LEFT + WIDTH + RIGHT // 2,
        bottom=TOP + sum(GROUP + BAR * len(group) for group in groups.values()),
        bar_height=BAR,
        group_gap=GROUP,
    )


def curves(title: str, measure: str, series: Mapping[str, Mapping[int, float]]) -> str:
    """Return curves over counts, both on a log scale, so that a constant cost is a flat line.

    Args:
        title: Heading.
        measure: What is shown, with the unit.
        series: Name -> count -> value above zero.
    """
    counts = sorted({count for values in series.values() for count in values})
    numbers = [value for values in series.values() for value in values.values()]
    low = math.floor(math.log10(min(numbers)))
    high = max(math.ceil(math.log10(max(numbers))), low + 1)
    bottom = TOP + HEIGHT

    def x(count: int) -> float:
        share = math.log(count / counts[0]) / math.log(counts[-1] / counts[0])
        return round(CURVES_LEFT + WIDTH * share, 1)

    def y(value: float) -> float:
        return round(bottom - HEIGHT * (math.log10(value) - low) / (high - low), 1)

    dots = {n: [(x(c), y(value)) for c, value in sorted(v.items())] for n, v in series.items()}
    return render(
        "curves.svg",
        title=title,
        measure=measure,
        counts=counts,
        powers=[10.0**n for n in range(low, high + 1)],
        lines=sorted((found[-1][1], name, found) for name, found in dots.items()),
        colours=LINES,
        x=x,
        y=y,
        left=CURVES_LEFT,
        right=CURVES_LEFT + WIDTH,
        top=TOP,
        bottom=bottom,
    )
