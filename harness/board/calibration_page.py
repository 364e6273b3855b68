"""The page of the calibrations: leaderboard/calibration/README.md, from the files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.runs.studies.calibration import FOLDER, Calibration

FILE = FOLDER / "README.md"

INTRO = """# What the protocol can show

Written by `nox -s calibrate -- --track NAME` from the files in this folder; do not edit.
Gains are shares of the base's held-out loss, in percent; differences are in points.
[docs/protocol.md](../../docs/protocol.md) says what the words mean.
"""


def read_all(folder: Path = FOLDER) -> list[Calibration]:
    """Return all calibrations, by name of the track."""
    files = sorted(folder.glob("*.json"))
    return [Calibration.model_validate_json(file.read_bytes()) for file in files]


def render(calibrations: Sequence[Calibration]) -> str:
    """Return the whole page."""
    return "\n".join([INTRO, *(section(one) for one in calibrations)])


def section(one: Calibration) -> str:
    """Return the part of one track."""
    machine = one.machine
    lines = [
        f"## {one.track}",
        "",
        f"Protocol {one.protocol_version}, {one.created_at:%Y-%m-%d}, {machine.processor}, "
        f"torch {machine.packages.get('torch', 'unknown')}.",
        "",
        "| variant of the reference | seeds | gain % | deviation over seeds |",
        "|---|---:|---:|---:|",
    ]
    for label, spread in one.gains.items():
        deviation = "" if spread.deviation is None else f"{100 * spread.deviation:.2f}"
        lines.append(
            f"| {label} | {len(spread.per_seed)} | {100 * spread.mean:.2f} | {deviation} |"
        )
    lines += [
        "",
        "| seeds | smallest difference mostly found | between near twins |",
        "|---:|---:|---:|",
    ]
    for seeds, size in one.detectable.items():
        twins = one.detectable_between_twins.get(seeds)
        lines.append(
            f"| {seeds} | {100 * size:.2f} | {'' if twins is None else f'{100 * twins:.2f}'} |"
        )
    if one.gain_per_10_percent_steps is not None:
        lines += ["", f"10 % more steps bring {100 * one.gain_per_10_percent_steps:+.2f} points."]
    lines += ["", "| expected | difference (95 %) | |", "|---|---:|---|"]
    for order in one.orders:
        low, high = order.interval or (float("nan"), float("nan"))
        lines.append(
            f"| {order.better} over {order.worse} | {100 * low:+.2f} to {100 * high:+.2f} | "
            f"{'found' if order.found else '**not found**'} |"
        )
    return "\n".join(lines) + "\n"
