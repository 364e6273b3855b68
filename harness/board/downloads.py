"""The same figures for programs: CSV, JSON, badges, curves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from harness.board.entries import Entry, points
from toolkit.core.templates import render

COLUMNS = (
    "group", "tier", "name", "state", "status", "outcome", "evidence", "gain", "difference",
    "interval_low", "interval_high", "seeds", "heldout", "drift", "hit_rate", "similarity",
    "prompt_adherence", "memorisation", "overfit_gap", "tolerance_decades", "seconds",
    "time_ratio", "memory_bytes", "adapter_bytes", "parameters", "own_hooks", "taken", "authors",
    "isolation", "origin", "measured_at", "content_hash",
)  # fmt: skip

COLOURS = {"better": "#1a7f37", "worse": "#b3261e"}  # of a badge; anything else is grey
GREY = "#57606a"


def csv_text(entries: Sequence[Entry]) -> str:
    """Return a track as CSV: shares as fractions, sizes in bytes, times in seconds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        values = entry.public()
        values["interval_low"], values["interval_high"] = entry.interval or (None, None)
        writer.writerow([_cell(values[column]) for column in COLUMNS])
    return buffer.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, tuple | list):
        value = " ".join(str(item) for item in value)
    # A spreadsheet would run a text that starts like a formula.
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return value


def json_text(track: str, entries: Sequence[Entry]) -> str:
    """Return a track as JSON."""
    document = {"track": track, "entries": [entry.public() for entry in entries]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def curves_script(entries: Sequence[Entry]) -> str:
    """Return the loss curves as a script: a page opened from a file cannot fetch JSON."""
    curves = {entry.name: entry.curve for entry in entries if entry.curve}
    return f"const CURVES = {json.dumps(curves, separators=(',', ':'))};\n"


def badge_svg(entry: Entry) -> str:
    """Return a badge: the verdict, its track, and the difference from the reference there."""
    right = entry.outcome if entry.state == "measured" else entry.status
    right += f" on {entry.track}" if entry.state != "pending" else ""
    if entry.state == "measured" and entry.difference is not None:
        right += f" {points(entry.difference)}"
    left = f"SD LoRA hub: {entry.name}"
    # 6.6 px a letter is what 11 px Verdana takes on average; textLength makes it exact.
    widths = [round(6.6 * len(text)) + 12 for text in (left, right)]
    return render(
        Path(__file__).with_name("templates") / "badge.svg",
        label=f"{left}: {right}",
        texts=(left, right),
        widths=widths,
        colour=COLOURS.get(entry.outcome, GREY) if entry.placed else GREY,
    )
