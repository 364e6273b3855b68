"""One self-contained HTML page per run: the verdict, "your row would be here", the pictures.

Everything on it is escaped by Jinja2 and the page may not load or run anything (see its content
security policy): names, captions, errors and logs come from strangers.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from harness.contributions.record import Contribution
from harness.errors import Finding
from harness.gate.profile.summary import differences, what_it_does_differently
from harness.gate.records import GateReport
from harness.protocol.figure_table import figure_lines
from harness.protocol.figures import Counted
from harness.protocol.row import Row
from harness.protocol.row_files import recorded_rows
from harness.protocol.track import Track
from harness.protocol.track_file import TrackFile
from harness.runs.folders import SHEET_FILE
from harness.runs.sweep_files import sweep_of
from toolkit.core import atomic
from toolkit.core.settings import REFERENCE_NAME
from toolkit.core.templates import render
from toolkit.images.sheet import comparison_sheet, open_picture
from toolkit.images.webp import encoded

SHEET_SIDE_PX = 128
CURVE_WIDTH, CURVE_HEIGHT = 640, 160
NEAREST = 3  # rows shown above and below a run

Columns = Sequence[tuple[str, Sequence[Path]]]


def write_sheet(folder: Path, columns: Columns, track: TrackFile) -> None:
    """Write the comparison sheet as WebP: a few of the prompts, the same seeds for all."""
    opened = [(title, [open_picture(files[i]) for i in track.shown]) for title, files in columns]
    sheet = comparison_sheet(opened, [track.texts[i] for i in track.shown], SHEET_SIDE_PX)
    atomic.write_bytes(folder / SHEET_FILE, encoded(sheet))


def write_page(
    path: Path,
    row: Row,
    findings: Sequence[Finding],
    columns: Columns,
    track: Track,
    report: GateReport | None = None,
    contribution: Contribution | None = None,
) -> None:
    """Write the page of one run."""
    differently = (
        what_it_does_differently(contribution, differences(report))
        if contribution is not None and report is not None
        else []
    )
    text = render(
        Path(__file__).parent / "templates" / "page.html",
        row=row,
        track=track.file,
        findings=findings,
        report=report,
        differences=differently,
        columns=[(title, [data_url(file) for file in files]) for title, files in columns],
        neighbours=neighbours(row),
        lines=figure_lines(
            row.base, [score.own for score in row.scores], [score.reference for score in row.scores]
        ),
        ratio=ratio,
        times=times,
        cost_sentence=cost_sentence(row),
        counted_sentence=counted_sentence(row),
        tolerance=tolerance_sentence(contribution, track),
        curve=polyline(row.losses),
        curve_width=CURVE_WIDTH,
        curve_height=CURVE_HEIGHT,
    )
    atomic.write_text(path, text)


def ratio(own: float | None, reference: float | None) -> str:
    """Say one figure as a multiple of another."""
    return f"{own / reference:.2g} times" if own is not None and reference else "unknown"


def times(row: Row) -> str:
    """Say what a training cost, as a multiple of the reference's in the same job."""
    found = row.costs.time_ratio if row.costs else None
    return f"{found:.2g} times" if found is not None else "unknown"


def cost_sentence(row: Row) -> str:
    """Say what one training cost: processor time, or in older rows the clock's alone."""
    costs = row.costs
    if costs is None:
        return ""
    memory = f"{costs.peak_memory_bytes / 1e6:.0f} MB"
    if costs.cpu_seconds is None or costs.reference_cpu_seconds is None:
        return (
            f"Here one training took {costs.train_seconds:.1f} s on the clock (mean over seeds), "
            f"the reference's {costs.reference_seconds:.1f} s; memory at most {memory}. The row is "
            "older than the count of processor time, so its ratio depends on what else the machine "
            "did."
        )
    interval = costs.cpu_ratio_interval
    spread = f" (95 % interval {interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
    beside = costs.reference_memory_bytes
    other = f", the reference's {beside / 1e6:.0f} MB" if beside is not None else ""
    return (
        f"Here one training cost {costs.cpu_seconds:.1f} s of processor time (mean over seeds), "
        f"the reference's {costs.reference_cpu_seconds:.1f} s: {costs.time_ratio:.2f} times"
        f"{spread}; memory at most {memory}{other}. It is the kernel's count of all processes, "
        "from the import of the contribution to the change of weights."
    )


def counted_sentence(row: Row) -> str:
    """Say what was counted while the first seed trained."""
    one = row.counted
    if one is None:
        return "Steps and pictures were not counted: the row is older than that."
    rates = f"learning rates {one.rates[0]:.2g} to {one.rates[1]:.2g}" if one.rates else "no rates"
    return (
        f"Counted while the first seed trained: {one.steps:,} optimiser steps, "
        f"{one.trained_pictures:,} pictures through the U-Net with gradients and "
        f"{one.other_pictures:,} without, {rates}; the untrained adapter changed the base's "
        f"prediction by {one.attached:.1g} (relative).{hook_sentence(one)}"
    )


def hook_sentence(counted: Counted) -> str:
    """Say how much of the first seed's cost each hook took; nothing of older rows."""
    if not counted.hook_seconds:
        return ""
    parts = ", ".join(f"{hook} {seconds:.1f} s" for hook, seconds in counted.hook_seconds.items())
    return f" Its process counted {parts} of processor time."


def tolerance_sentence(contribution: Contribution | None, track: Track) -> str:
    """Say how far off the best learning rate one may be, where a sweep of today's code found it."""
    found = sweep_of(contribution, track) if contribution is not None else None
    return found.tolerance.sentence if found is not None else ""


@dataclass(frozen=True)
class Neighbours:
    """The rows around a run, in the order of gain.

    Args:
        rows: (is this run, row).
        above: How many rows with a higher gain are left out.
        below: How many with a lower one.
    """

    rows: tuple[tuple[bool, Row], ...]
    above: int
    below: int


def neighbours(row: Row) -> Neighbours:
    """Return the nearest recorded rows of the track with this one in its place, and the reference.

    Rows of another protocol are left out, and an older row of the same contribution.
    """
    rows = [
        other
        for other in recorded_rows(row.track)
        if other.verdict
        and other.contribution != row.contribution
        and other.protocol_hash == row.protocol_hash  # never two protocols in one table
    ]
    marked = [(False, other) for other in rows]
    if row.verdict is None:
        return Neighbours(tuple(marked), 0, 0)
    place = sum(1 for other in rows if other.verdict and other.verdict.gain > row.verdict.gain)
    marked.insert(place, (True, row))
    shown = [
        one
        for number, one in enumerate(marked)
        if abs(number - place) <= NEAREST or one[1].contribution == REFERENCE_NAME
    ]
    above = place - [mine for mine, _ in shown].index(True)
    return Neighbours(tuple(shown), above, len(marked) - len(shown) - above)


def data_url(path: Path) -> str:
    """Return a picture as a data URL, decoded and encoded anew so that no metadata travels."""
    return image_url(open_picture(path))


def image_url(picture: Image.Image) -> str:
    """Return a picture as a data URL."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def polyline(losses: Sequence[float], top: float | None = None) -> str:
    """Return the points of the training loss as an SVG polyline, smoothed over a tenth of it.

    Args:
        losses: One per step.
        top: Loss at the upper edge; by default the highest of the curve.
    """
    if len(losses) < 2:
        return ""
    window = max(1, len(losses) // 10)
    smooth = [
        sum(losses[max(0, i - window + 1) : i + 1]) / min(i + 1, window) for i in range(len(losses))
    ]
    high = top or max(smooth) or 1.0
    points = (
        f"{CURVE_WIDTH * i / (len(smooth) - 1):.1f},{CURVE_HEIGHT * (1 - y / high):.1f}"
        for i, y in enumerate(smooth)
    )
    return " ".join(points)
