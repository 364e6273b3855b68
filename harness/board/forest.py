"""A forest plot as SVG: each contribution's difference to the reference, with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.board.entries import Entry

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

    rows = [
        {
            "name": e.name,
            "y": TOP + ROW * i,
            "x": x(100 * (e.difference or 0.0)),
            "from": x(100 * e.interval[0]),
            "to": x(100 * e.interval[1]),
            "label": f"{100 * (e.difference or 0.0):+.1f}",
            "colour": COLOURS.get(e.outcome, NEITHER),
        }
        for i, e in enumerate(known)
        if e.interval is not None
    ]
    step = 5 if high - low > 12 else 1
    ticks = [t for t in range(int(low) - step, int(high) + step + 1) if t % step == 0]
    template = Environment(
        loader=PackageLoader("harness", "leaderboard/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("forest.svg")
    return template.render(
        title=title,
        rows=rows,
        ticks=[{"x": x(t), "label": f"{t:+d}" if t else "0"} for t in ticks if low <= t <= high],
        width=LEFT + WIDTH + RIGHT,
        height=TOP + ROW * len(rows) + 30,
        bottom=TOP + ROW * len(rows),
        left=LEFT,
        zero=x(0.0),
        better=COLOURS["better"],
        worse=COLOURS["worse"],
        neither=NEITHER,
    )
