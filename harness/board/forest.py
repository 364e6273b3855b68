"""A forest plot as SVG: each contribution's difference to the reference, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.board.entries import Entry
from toolkit.core.templates import render

ROW, TOP, LEFT, WIDTH, RIGHT = 18, 46, 150, 420, 90  # px

COLOURS = {"better": "#2a9d55", "worse": "#d1495b"}
NEITHER = "#8a8f98"


def forest(title: str, entries: Sequence[Entry]) -> str:
    """Return the plot of one track.

    Args:
        title: Its heading.
        entries: Measured ones with a difference, in points when shown.
    """
    known = [e for e in entries if e.difference is not None and e.interval is not None]
    known.sort(key=lambda e: (-(e.difference or 0.0), e.name))
    ends = [100 * end for e in known for end in e.interval or ()] + [-1.0, 1.0]
    low, high = min(ends), max(ends)

    def x(points: float) -> float:
        return round(LEFT + WIDTH * (points - low) / (high - low), 1)

    step = 5 if high - low > 12 else 1
    ticks = [t for t in range(int(low) - step, int(high) + step + 1) if t % step == 0]
    return render(
        Path(__file__).with_name("templates") / "forest.svg",
        title=title,
        entries=known,
        ticks=[tick for tick in ticks if low <= tick <= high],
        x=x,
        row=ROW,
        top=TOP,
        left=LEFT,
        width=LEFT + WIDTH + RIGHT,
        bottom=TOP + ROW * len(known),
        colours=COLOURS,
        neither=NEITHER,
    )
