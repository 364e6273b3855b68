"""What a training says about itself while it is at work: read from its own files, never kept."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.training_runs.journal import LOG_FILE
from toolkit.training_runs.own_folder import PLAN_FILE, SHEET_FILE

# Of the drawing; a page scales it.
WIDTH, HEIGHT = 600, 160
MOST_POINTS = 600
# Over how many of the newest steps speed and the smooth curve are taken.
RECENT = 20


class Curve(NamedTuple):
    """A curve in an SVG of ``WIDTH`` x ``HEIGHT``."""

    points: str
    smooth: str
    low: float
    high: float


class Watched(NamedTuple):
    """A training, as far as it is."""

    step: int
    steps: int  # 0 if that is not known yet
    loss: float | None  # mean of the newest steps
    validation: float | None  # the newest
    seconds_left: float | None
    curve: Curve | None
    samples: tuple[str, ...]  # files below its folder, the newest first


def newest_job(out: Path) -> Path:
    """Return the folder of a training's newest start, or its own where there is no other."""
    return max(out.glob("job-[0-9]*"), default=out)


def watch(out: Path) -> Watched:
    """Read how far a training is.

    Args:
        out: The folder that it was given as ``--out``; it need not exist yet.
    """
    place = newest_job(out)
    lines = read_log(place / LOG_FILE)
    losses = numbers(lines, "loss")
    step = losses[-1][0] if losses else 0
    recent = [loss for _, loss in losses[-RECENT:]]
    pace = [seconds for _, seconds in numbers(lines, "seconds")][-RECENT:]
    steps = planned_steps(place)
    left = (steps - step) * sum(pace) / len(pace) if pace and steps else None
    measured = numbers(lines, "validation_loss")
    return Watched(
        step=step,
        steps=steps,
        loss=sum(recent) / len(recent) if recent else None,
        validation=measured[-1][1] if measured else None,
        seconds_left=left,
        curve=curve_of(losses),
        samples=tuple(path.relative_to(out).as_posix() for path in samples_in(place)),
    )


def numbers(lines: list[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """Return (step, value) of each line that has a finite number; a stranger wrote the log."""
    return [
        (line["step"], float(line[name]))
        for line in lines
        if isinstance(line.get(name), int | float)
        and isinstance(line["step"], int)
        and math.isfinite(line[name])
    ]


def samples_in(place: Path) -> list[Path]:
    """Return the sheets of samples of one start, the newest first: the last one has no step."""
    last = [path for path in (place / SHEET_FILE,) if path.is_file()]
    return [*last, *sorted((place / "samples").glob("step-*.png"), reverse=True)]


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a log that grows."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError):
            continue  # being written, or no log
    return [line for line in found if isinstance(line, dict) and "step" in line]


def planned_steps(place: Path) -> int:
    """Return how many steps a training will make, 0 if it does not say yet."""
    try:
        return int(json.loads((place / PLAN_FILE).read_bytes())["train"]["steps"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return 0


def curve_of(losses: list[tuple[int, float]]) -> Curve | None:
    """Return the losses as two polylines: every point, and the mean of those before it."""
    if len(losses) < 2:
        return None
    smooth = [
        sum(loss for _, loss in losses[max(0, n - RECENT + 1) : n + 1]) / min(n + 1, RECENT)
        for n in range(len(losses))
    ]
    stride = -(-len(losses) // MOST_POINTS)
    low, high = min(loss for _, loss in losses), max(loss for _, loss in losses)
    first, last = losses[0][0], losses[-1][0]

    def place(step: int, loss: float) -> str:
        x = WIDTH * (step - first) / max(last - first, 1)
        y = HEIGHT * (1 - (loss - low) / (high - low or 1))
        return f"{x:.1f},{y:.1f}"

    return Curve(
        " ".join(place(*point) for point in losses[::stride]),
        " ".join(place(losses[n][0], smooth[n]) for n in range(0, len(losses), stride)),
        low,
        high,
    )
