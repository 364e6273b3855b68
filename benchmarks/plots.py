"""The two plots of the figures' pages, as SVG: bars with their spread, and curves on log scales."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

OURS, THEIRS, FLOOR = "#2f6fde", "#8a8f98", "#c9ced6"
LINES = ("#2f6fde", "#d1495b", "#2a9d55", "#b7791f", "#7a4fd1", "#1b8a99", "#5a5f68")
LEFT, WIDTH, RIGHT, TOP = 230, 360, 130, 54  # px
BAR, GROUP = 19, 26  # px
HEIGHT = 260  # px, of curves


@dataclass(frozen=True)
class Bar:
    """One bar, and how far the rounds were apart."""

    name: str
    middle: float
    low: float | None = None
    high: float | None = None
    colour: str = OURS


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
    step = nice(most / 6)

    def x(value: float) -> float:
        return round(LEFT + WIDTH * value / most, 1)

    shown, y = [], TOP
    for name, group in groups.items():
        drawn = []
        for number, bar in enumerate(group):
            spread = bar.low is not None and bar.high is not None
            drawn.append(
                {
                    "name": bar.name,
                    "y": y + 8 + BAR * number,
                    "length": round(x(bar.middle) - LEFT, 1),
                    "from": x(bar.low) if spread and bar.low is not None else None,
                    "to": x(bar.high) if spread and bar.high is not None else None,
                    "colour": bar.colour,
                    "label": f"{bar.middle:.3g}",
                }
            )
        shown.append({"name": name, "y": y + 2, "bars": drawn})
        y += GROUP + BAR * len(group)
    count = math.floor(most / step + 1e-9)
    ticks = [
        {"x": x(n * step), "label": f"{n * step:g}", "marked": False} for n in range(count + 1)
    ]
    ticks += [{"x": x(mark), "label": "", "marked": True} for mark in marks if mark <= most]
    return _render(
        "bars.svg",
        title=title,
        measure=measure,
        groups=shown,
        ticks=ticks,
        left=LEFT,
        width=LEFT + WIDTH + RIGHT // 2,
        bottom=y,
        height=y + 26,
    )


def nice(step: float) -> float:
    """Return the next larger of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= step)


def curves(
    title: str, measure: str, series: Mapping[str, Mapping[int, float]], unit: str = ""
) -> str:
    """Return curves over counts, both on a log scale, so that a constant cost is a flat line.

    Args:
        title: Heading.
        measure: What is shown, with the unit.
        series: Name -> count -> value above zero.
        unit: Behind the numbers at the side.
    """
    counts = sorted({count for values in series.values() for count in values})
    numbers = [value for values in series.values() for value in values.values()]
    low, high = math.floor(math.log10(min(numbers))), math.ceil(math.log10(max(numbers)))
    high = max(high, low + 1)
    right, bottom = LEFT - 150 + WIDTH, TOP + HEIGHT
    left = LEFT - 150

    def x(count: int) -> float:
        share = math.log(count / counts[0]) / math.log(counts[-1] / counts[0])
        return round(left + (right - left) * share, 1)

    def y(value: float) -> float:
        return round(bottom - HEIGHT * (math.log10(value) - low) / (high - low), 1)

    lines, ends = [], []
    for name, values in series.items():
        dots = [(x(count), y(value)) for count, value in sorted(values.items())]
        ends.append((dots[-1][1], name, dots))
    label_y = -math.inf
    # From top to bottom, each name at least a line below the one before.
    for number, (end, name, dots) in enumerate(sorted(ends)):
        label_y = max(end + 4, label_y + 14)
        lines.append(
            {
                "name": name,
                "dots": dots,
                "points": " ".join(f"{a},{b}" for a, b in dots),
                "colour": LINES[number % len(LINES)],
                "label_y": round(label_y, 1),
            }
        )
    return _render(
        "curves.svg",
        title=title,
        measure=measure,
        lines=lines,
        across=[{"at": x(count), "label": f"{count:,}"} for count in counts],
        up=[{"at": y(10.0**n), "label": f"{10.0**n:g}{unit}"} for n in range(low, high + 1)],
        left=left,
        right=right,
        top=TOP,
        bottom=bottom,
        width=right + 190,
        height=bottom + 26,
    )


def _render(template: str, **values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("benchmarks", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values) + "\n"
