"""One self-contained page that puts two contributions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageChops

from harness.protocol.figure_table import figure_lines
from harness.protocol.pair import compare_pair
from harness.protocol.row import Row
from harness.protocol.track import Track
from harness.runs.page import CURVE_HEIGHT, CURVE_WIDTH, data_url, image_url, polyline, times
from toolkit.core import atomic
from toolkit.core.templates import render
from toolkit.images.alike import mean_difference
from toolkit.images.sheet import open_picture

# Differences are shown this much stronger, or most would be black.
AMPLIFIED = 3


@dataclass(frozen=True)
class Side:
    """What is shown of one contribution."""

    row: Row
    pictures: list[Path]  # one per prompt, drawn by the trusted sampler
    base: list[Path]


def write_compare_page(
    path: Path,
    one: Side,
    other: Side,
    track: Track,
    parts: Sequence[tuple[str, str, str]] = (),
) -> None:
    """Write the page; ``parts`` are property and both sides' numbers where profiles part."""
    prompts = [
        {
            "text": prompt.text,
            "kind": prompt.kind,
            "images": [
                data_url(one.base[number]),
                data_url(one.pictures[number]),
                data_url(other.pictures[number]),
                difference_url(one.pictures[number], other.pictures[number]),
            ],
            "moved": mean_difference(
                open_picture(one.pictures[number]), open_picture(other.pictures[number])
            ),
        }
        for number, prompt in enumerate(track.file.prompts)
    ]
    top = max((max(side.row.losses, default=0.0) for side in (one, other)), default=1.0)
    text = render(
        Path(__file__).parent / "templates" / "compare.html",
        one=one.row,
        other=other.row,
        track=track.file,
        parts=parts,
        verdict=compare_pair(one.row, other.row),
        lines=figure_lines(
            one.row.base, [s.own for s in one.row.scores], [s.own for s in other.row.scores]
        ),
        prompts=prompts,
        amplified=AMPLIFIED,
        times=times,
        curves=[polyline(side.row.losses, top) for side in (one, other)],
        curve_width=CURVE_WIDTH,
        curve_height=CURVE_HEIGHT,
    )
    atomic.write_text(path, text)


def difference_url(one: Path, other: Path) -> str:
    """Return the amplified difference of two pictures as a data URL."""
    a, b = open_picture(one), open_picture(other)
    difference = ImageChops.difference(a, b).point(lambda level: min(255, AMPLIFIED * level))
    return image_url(difference)
