"""What each page's template is handed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import paths
from harness.board.collect import Board
from harness.board.entries import STATES, Entry
from harness.board.history import Event
from harness.board.markdown import render
from harness.board.readmes import without_block
from harness.board.sheets import BASE, OWN, REFERENCE, Sheet, prompt_that_differs, sheet_of
from harness.board.tolerances import worth_a_column
from harness.gate.profile import table as profiles
from harness.gate.profile.summary import what_it_does_differently
from harness.protocol.next_step import draw_command, run_command, verify_command
from harness.protocol.statistics.student import quantile
from harness.protocol.track import Track
from toolkit.core.settings import REFERENCE_NAME

# What the plot can lay gain against: field, label.
AXES = (
    ("drift", "drift (lower is better)"),
    ("time_ratio", "cost of a training, times the reference's"),
    ("kilobytes", "size of the adapter, kB"),
    ("parameters", "trainable parameters"),
    ("memorisation", "memorisation (lower is better)"),
)
# What the comparison shows: field, label, +1 when higher is better, factor, digits.
FIGURES = (
    ("gain", "gain, %", 1, 100, 2),
    ("heldout", "held-out loss", -1, 1, 5),
    ("drift", "drift", -1, 1, 4),
    ("hit_rate", "hit rate, %", 1, 100, 0),
    ("similarity", "likeness", 1, 1, 3),
    ("prompt_adherence", "prompt adherence, %", 1, 100, 0),
    ("memorisation", "memorisation", -1, 1, 3),
    ("overfit_gap", "overfit gap, points", -1, 100, 2),
    ("time_ratio", "cost, times the reference's", -1, 1, 2),
    ("memory_bytes", "peak memory, MB", -1, 1e-6, 0),
    ("kilobytes", "size, kB", -1, 1, 0),
    ("parameters", "trainable parameters", -1, 1, 0),
)
FIRST_CURVES = 5
MAX_SEEDS = 30


def track_page(track: Track, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return what the track's table, plot and curves need."""
    counts = Counter(entry.state for entry in entries)
    # A random adapter loses by hundreds of points: beside it everybody else would be one dot.
    ranking = [entry for entry in entries if entry.placed and not entry.control]
    with_curve = [entry.name for entry in ranking if entry.curve]
    first = [REFERENCE_NAME, *(n for n in with_curve if n != REFERENCE_NAME)][: FIRST_CURVES + 1]
    keys = tuple(key for key, _ in AXES)
    return {
        "track": track,
        "entries": entries,
        "swept": worth_a_column(entries),
        "counts": ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]),
        "states": [state for state in STATES if counts[state]],
        "scale": interval_scale(entries),
        "axes": [
            (key, label)
            for key, label in AXES
            if any(_value(entry, key) is not None for entry in ranking)
        ],
        "front": [entry for entry in ranking if entry.tier == 1],
        "data": {"entries": [_plotted(entry, keys) for entry in ranking], "first": first},
    }


def interval_scale(entries: Sequence[Entry]) -> Callable[[float], str]:
    """Return the map from a difference to a place, 4 to 96, the same for the whole track.

    It is made for contributions; a control may lie beyond the edge, and is drawn there.
    """
    ends = [0.0]
    for entry in entries:
        if entry.placed and not entry.control and entry.difference is not None:
            ends += [entry.difference, *(entry.interval or ())]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def scale(value: float) -> str:
        share = min(1.0, max(0.0, (value - low) / span))
        return f"{4 + 92 * share:.1f}"

    return scale


def _value(entry: Entry, key: str) -> float | int | None:
    if key == "kilobytes":
        return None if entry.adapter_bytes is None else round(entry.adapter_bytes / 1000, 1)
    value: float | int | None = getattr(entry, key)
    return round(value, 6) if isinstance(value, float) else value


def _plotted(entry: Entry, keys: Sequence[str]) -> dict[str, Any]:
    return {
        "name": entry.name,
        "gain": _value(entry, "gain"),
        "tier": entry.tier,
        "is_reference": entry.is_reference,
        **{key: _value(entry, key) for key in keys},
    }


@dataclass(frozen=True)
class Shot:
    """One picture of the gallery."""

    name: str
    page: str  # the contribution's page, "" for the base
    entry: Entry | None
    hub: bool  # base and reference, that everything is compared with
    cell: str = ""  # class that shows its column of the sheet
    source: str = ""
    width: int = 0
    height: int = 0
    why: str = "no pictures yet"


def gallery_page(
    track: Track, entries: Sequence[Entry], found: Mapping[str, Sheet | None]
) -> dict[str, Any]:
    """Return the gallery: base and reference first, then the contributions in the table's order."""
    whole = next((s for s in found.values() if s is not None and s.columns > REFERENCE), None)
    shots = []
    if whole is not None:
        shots.append(_shot("untouched base", "", None, whole, BASE))
        shots.append(_shot(REFERENCE_NAME, REFERENCE_NAME, None, whole, REFERENCE))
    for entry in entries:
        if entry.is_reference:
            continue
        sheet = found[entry.name]
        if sheet is None or sheet.columns <= OWN:
            why = entry.status if entry.state != "measured" else "no pictures were recorded"
            shots.append(Shot(entry.name, entry.name, entry, False, why=why))
        else:
            shots.append(_shot(entry.name, entry.name, entry, sheet, OWN))
    texts = [track.file.texts[number] for number in track.file.shown]
    prompts = texts[: whole.prompts] if whole else []
    drawn = [sheet for entry in entries if (sheet := found[entry.name]) and entry.placed]
    return {
        "track": track,
        "shots": shots,
        "prompts": prompts,
        "first": min(prompt_that_differs(drawn), max(0, len(prompts) - 1)),
        "own_pictures": any(s.cell and s.entry and s.entry.state == "unmergeable" for s in shots),
    }


def _shot(name: str, page: str, entry: Entry | None, sheet: Sheet, column: int) -> Shot:
    return Shot(
        name=name,
        page=page,
        entry=entry,
        hub=column < OWN,
        cell=f"c{column}",
        source=sheet.source,
        width=sheet.width,
        height=sheet.height,
    )


def compare_page(
    track: Track, entries: Sequence[Entry], found: Mapping[str, Sheet | None]
) -> dict[str, Any]:
    """Return what the comparison of two needs; the browser does the arithmetic."""
    keys = tuple(key for key, *_ in FIGURES)
    data = []
    for entry in entries:
        if entry.placed:
            sheet = found[entry.name]
            own = {key: _value(entry, key) for key in keys}
            gains = [round(gain, 6) for gain in entry.gains]
            data.append(
                {
                    "name": entry.name,
                    "seeds": entry.seeds,
                    "gains": gains,
                    "sheet": sheet.source if sheet else None,
                    **own,
                }
            )
    quantiles = [round(quantile(0.975, freedom), 4) for freedom in range(1, MAX_SEEDS)]
    return {
        "track": track,
        "entries": entries,
        "data": {"entries": data, "figures": FIGURES, "t": quantiles},
    }


def contribution_page(
    board: Board, name: str, entries: Sequence[Entry], history: Sequence[Event]
) -> dict[str, Any]:
    """Return everything about one contribution."""
    contribution = board.contributions.get(name)
    best = best_of(entries)
    path = contribution.path if contribution else f"CONTRIBUTIONS/{name}"
    readme = paths.ROOT / path / "README.md"
    found = [(entry, sheet) for entry in entries if (sheet := sheet_of(entry))]
    curves = [(f"{entry.name}, {entry.track}", entry.curve) for entry in entries if entry.curve]
    if name != REFERENCE_NAME:
        curves += [
            (f"reference, {entry.track}", entry.curve)
            for entry in board.by_name.get(REFERENCE_NAME, [])
            if entry.curve and any(e.track == entry.track and e.curve for e in entries)
        ]
    measured = {entry.track for entry in entries if entry.state != "pending"}
    files = [track.file for track in board.tracks]
    shown = [file for file in files if file.name in measured] or files[:1]
    return {
        "name": name,
        "entries": entries,
        "best": best,
        "differently": what_it_does_differently(contribution, profiles.known(contribution))
        if contribution
        else [],
        "licence": contribution.file.license if contribution else "",
        "code_path": path,
        "code_url": code_address(path),
        "sheets": found,
        "curves": curves,
        "commands": "\n".join(run_command(name, file) for file in shown),
        "checks": "\n".join(verify_command(name, f) for f in shown if f.name in measured),
        "draw": "\n".join(draw_command(name, file) for file in shown),
        "history": history,
        "readme": render(without_block(readme.read_text(encoding="utf-8", errors="replace")))
        if readme.is_file() and not readme.is_symlink()
        else "",
    }


def best_of(entries: Sequence[Entry]) -> Entry:
    """Return the entry that a contribution is shown by: the one with most evidence."""
    return min(entries, key=lambda e: (STATES.index(e.state), -len(e.evidence)))


def code_address(path: str) -> str:
    """Return where the code is on the hosting site; "" where the environment does not tell."""
    server = os.environ.get("GITHUB_SERVER_URL", "")
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    return f"{server}/{repository}/tree/main/{path}" if server and repository else ""
