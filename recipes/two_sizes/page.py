"""The measured agreement as a block of ``docs/base_model.md``, and its picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness import paths
from recipes.two_sizes.agreement import Values
from toolkit.core import atomic, templates

FOLDER: Final = Path(__file__).with_name("measured")
PAGE: Final = paths.ROOT / "docs" / "base_model.md"
BEGIN: Final = "<!-- two sizes: begin. Written by `python -m recipes.two_sizes`; do not edit. -->"
END: Final = "<!-- two sizes: end -->"
SIZES: Final = ("full", "half")

WIDTH, HEIGHT = 620, 520  # px of the picture
LEFT, RIGHT, TOP, BOTTOM = 64, 500, 34, 470
TICKS: Final = 6
DOT, LETTER, LINE = 4.0, 6.6, 14.0  # px: radius of a dot, width of a letter, height of a line

Box = tuple[float, float, float, float]


def measured(track: str) -> dict[str, Any] | None:
    """Return what was measured of the whole dozen; None before that."""
    file = FOLDER / f"{track}.json"
    found: dict[str, Any] = json.loads(file.read_bytes()) if file.is_file() else {}
    return found if "agreement" in found else None


def gains(found: dict[str, Any], size: str) -> Values:
    """Return (methods, seeds) held-out gains on a base."""
    return np.array([one[size]["gains"] for one in found["methods"].values()])


def ranks(values: Values) -> list[int]:
    """Return the places of (methods,) figures, 1 for the highest."""
    order = np.argsort(-values, kind="stable")
    return [int(place) + 1 for place in np.argsort(order, kind="stable")]


def block(found: dict[str, Any]) -> str:
    """Return the block: what was trained, the table of methods, and how far the orders agree."""
    bases = found["bases"]
    seeds = len(found["seeds"])
    lines = [
        "| base | U-Net widths | U-Net and text encoder, parameters | samples seen | held-out loss "
        f"on `{found['track']}` |",
        "|---|---|---:|---:|---:|",
    ]
    for size in SIZES:
        one = bases[size]
        lines.append(
            f"| {size} | {', '.join(map(str, one['widths']))} | {one['parameters']:,} "
            f"| {one['unet_samples']:,} | {one['heldout_loss']:.3f} |"
        )
    means = {size: gains(found, size).mean(1) for size in SIZES}
    places = {size: ranks(means[size]) for size in SIZES}
    lines += [
        "",
        f"![A dot for each method](../recipes/two_sizes/measured/{found['track']}.svg)",
        "",
        f"Held-out gain after {found['steps']} steps of {found['batch_size']} on "
        f"`{found['track']}`, mean of {seeds} seeds and their standard deviation:",
        "",
        "| method | full size | place | half size | place | hit rate, full | hit rate, half |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    names = list(found["methods"])
    for row in np.argsort(-means["full"], kind="stable"):
        own = found["methods"][names[row]]
        cells = []
        for size in SIZES:
            spread = float(np.std(own[size]["gains"], ddof=1)) if seeds > 1 else 0.0
            cells += [f"{means[size][row]:+.1%} ± {spread:.1%}", str(places[size][row])]
        cells += [f"{np.mean(own[size]['hit_rates']):.0%}" for size in SIZES]
        lines.append(f"| {names[row]} | {' | '.join(cells)} |")
    lines += ["", *agreement_lines(found)]
    return "\n".join(lines)


def agreement_lines(found: dict[str, Any]) -> list[str]:
    """Return the table of the agreement, and what a base agrees with itself."""
    said = {"kendall_tau": "Kendall's tau", "spearman_rho": "Spearman's rho"}
    lines = [
        "| agreement of the two orders | value | 95 % over seeds | 95 % over seeds and methods |",
        "|---|---:|---:|---:|",
    ]
    for key, name in said.items():
        one = found["agreement"][key]
        intervals = [
            f"{low:+.2f} to {high:+.2f}" for low, high in (one["over_seeds"], one["over_both"])
        ]
        lines.append(f"| {name} | {one['value']:+.2f} | {' | '.join(intervals)} |")
    if found["one_seed_each"]:
        own = found["one_seed_each"]
        lines += [
            "",
            f"By one seed each, the full size agrees with itself to a tau of {own['first']:.2f}, "
            f"the half size with itself to {own['second']:.2f}, and the two with each other to "
            f"{own['across']:.2f}.",
        ]
    return lines


def with_block(page: str, found: dict[str, Any] | None) -> str:
    """Return the page with today's block; before the dozen was run it says so."""
    before, rest = page.split(BEGIN)
    inside = block(found) if found else "The dozen has not been run yet."
    return f"{before}{BEGIN}\n\n{inside}\n\n{END}{rest.split(END)[1]}"


def picture(found: dict[str, Any]) -> str:
    """Return the scatter of both gains as SVG; bars are the lowest and the highest seed."""
    values = {size: gains(found, size) for size in SIZES}
    axes = {size: Axis(values[size]) for size in SIZES}
    points = [
        {
            "name": name,
            "x": across.mean(), "x_low": across.min(), "x_high": across.max(),
            "y": up.mean(), "y_low": up.min(), "y_high": up.max(),
        }
        for name, across, up in zip(found["methods"], values["full"], values["half"], strict=True)
    ]  # fmt: skip

    def x(value: float) -> float:
        return axes["full"].place(value, LEFT, RIGHT)

    def y(value: float) -> float:
        return axes["half"].place(value, BOTTOM, TOP)

    names = beside_dots([(one["name"], x(one["x"]), y(one["y"])) for one in points])
    return templates.render(
        Path(__file__).with_name("scatter.svg"),
        title=f"Held-out gain on {found['track']}: one method, one dot",
        x_name="full size", y_name="half size",
        points=points, names=names,
        x_ticks=axes["full"].ticks(), y_ticks=axes["half"].ticks(),
        x=x, y=y,
        left=LEFT, right=RIGHT, top=TOP, bottom=BOTTOM, width=WIDTH, height=HEIGHT,
    ) + "\n"  # fmt: skip


def beside_dots(dots: Sequence[tuple[str, float, float]]) -> dict[str, tuple[float, float, str]]:
    """Return where each name stands: beside its dot, and over no other dot or name.

    Args:
        dots: Names and places, in pixels.

    Returns:
        For each name a place, and whether it begins (`start`) or ends (`end`) there.
    """
    taken = [(x - DOT, y - DOT, x + DOT, y + DOT) for _, x, y in dots]
    found = {}
    for name, x, y in dots:
        offers = [
            (x + right * (DOT + 3), y + down * LINE + 4, "start" if right > 0 else "end")
            for down in (0, -1, 1, -2, 2, -3, 3)
            for right in (1, -1)
        ]
        boxes = [box_of(name, *offer) for offer in offers]
        free = [place for place, box in enumerate(boxes) if not any(overlap(box, b) for b in taken)]
        chosen = free[0] if free else 0
        found[name] = offers[chosen]
        taken.append(boxes[chosen])
    return found


def box_of(name: str, x: float, base: float, anchor: str) -> Box:
    """Return the box of a name (left, top, right, bottom), as far as letters are alike."""
    wide = LETTER * len(name)
    left = x if anchor == "start" else x - wide
    return left, base - LINE + 3, left + wide, base + 2


def overlap(one: Box, other: Box) -> bool:
    """Tell whether two boxes (left, top, right, bottom) share a point."""
    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    return not apart


class Axis:
    """The range of some figures, and where they stand on paper."""

    def __init__(self, values: Values) -> None:
        """Leave a twentieth of the range free on both sides."""
        low, high = float(values.min()), float(values.max())
        room = (high - low) / 20 or 0.01
        self.low, self.high = low - room, high + room

    def place(self, value: float, start: int, end: int) -> float:
        """Return a figure's place in pixels."""
        return round(start + (end - start) * (value - self.low) / (self.high - self.low), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return places for lines, and their labels."""
        values = np.linspace(self.low, self.high, TICKS)
        return [(float(value), f"{value:+.1%}") for value in values]


def write(found: dict[str, Any]) -> None:
    """Write figures, picture and block of a whole dozen."""
    name = found["track"]
    atomic.write_text(FOLDER / f"{name}.json", json.dumps(found, indent=1) + "\n")
    atomic.write_text(FOLDER / f"{name}.svg", picture(found))
    atomic.write_text(PAGE, with_block(PAGE.read_text(encoding="utf-8"), found))
