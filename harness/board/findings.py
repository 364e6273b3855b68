"""What the board teaches: the figures of docs/findings.md, and a plot for each track.

The sentences around them are people's; everything with a number is written from the rows.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path

from harness.board.collect import Board
from harness.board.entries import EXACTLY, Entry
from toolkit.core.templates import render

# The sign is there only where the difference is real.
SIGNS = {"better": "**+**", "worse": "**-**"}
FEWEST = 5  # contributions, for a correlation that says anything


def findings_block(board: Board) -> str:
    """Return the lines between the marks of docs/findings.md, marks included."""
    names = [track.file.name for track in board.tracks]
    measured = [name for name in names if compared(board, name)]
    found: dict[str, dict[str, Entry]] = {}
    for track in measured:
        for entry in compared(board, track):
            found.setdefault(entry.name, {})[track] = entry
    sentences = [sentence(name, compared(board, name)) for name in names]
    return render(
        Path(__file__).with_name("templates") / "findings.md",
        sentences=[*sentences, *agreement(board, measured), *clock_noise(board, measured)],
        tracks=measured,
        lines=sorted(found.items(), key=lambda item: order(item[1])),
        median_time=median_time,
        signs=SIGNS,
    ).rstrip()


def compared(board: Board, track: str) -> list[Entry]:
    """Return the measured contributions of a track: those with a difference to the reference."""
    return [
        entry
        for entry in board.of_track(track)
        if entry.placed and not entry.is_reference and not entry.control
    ]


def sentence(track: str, entries: Sequence[Entry]) -> str:
    """Say how many differences of a track are real."""
    if not entries:
        return f"`{track}`: nothing measured yet."
    count = {
        outcome: sum(e.outcome == outcome for e in entries)
        for outcome in ("better", "worse", "no clear difference", EXACTLY)
    }
    early = sum(len(e.seeds) < max(len(o.seeds) for o in entries) for e in entries)
    widths = [100 * (e.interval[1] - e.interval[0]) / 2 for e in entries if e.interval]
    text = (
        f"`{track}`: of {len(entries)} contributions {count['better']} are better than the "
        f"reference, {count['worse']} are worse, {count['no clear difference']} show no clear "
        f"difference, {count[EXACTLY]} train exactly as it does. The median interval is "
        f"±{statistics.median(widths):.2f} points."
    )
    return text + (f" {early} lost so clearly that they got fewer seeds." if early else "")


def clock_noise(board: Board, tracks: Sequence[str]) -> Iterator[str]:
    """Say how far the times of trainings that are the reference's own, to the bit, lie apart."""
    twins = [
        entry
        for track in tracks
        for entry in compared(board, track)
        if entry.outcome == EXACTLY and entry.time_ratio is not None
    ]
    ratios = [entry.time_ratio for entry in twins if entry.time_ratio is not None]
    if len(ratios) > 1:
        names = ", ".join(sorted({entry.name for entry in twins}))
        yield (
            f"{names} train exactly as the reference does. Their times lie between "
            f"{min(ratios):.2f} and {max(ratios):.2f} of its time: that is the noise of the clock."
        )


def agreement(board: Board, tracks: Sequence[str]) -> Iterator[str]:
    """Say how alike two tracks order the same contributions (Spearman's rank correlation)."""
    gains = {name: {e.name: e.gain for e in compared(board, name)} for name in tracks}
    for one, other in combinations(tracks, 2):
        shared = sorted(gains[one].keys() & gains[other].keys())
        if len(shared) < FEWEST:
            continue
        pairs = [ranks([gains[track][name] or 0.0 for name in shared]) for track in (one, other)]
        found = statistics.correlation(*pairs)
        yield f"`{one}` and `{other}` order {len(shared)} contributions alike to {found:+.2f}."


def ranks(values: Sequence[float]) -> list[float]:
    """Return each value's rank from 1; equal values share the mean of theirs."""
    ordered = sorted(values)
    return [
        statistics.fmean(i for i, other in enumerate(ordered, 1) if other == value)
        for value in values
    ]


def median_time(entries: Iterable[Entry]) -> float | None:
    """Return the time that trainings took over the tracks, as a multiple of the reference's."""
    times = [entry.time_ratio for entry in entries if entry.time_ratio is not None]
    return statistics.median(times) if times else None


def order(found: dict[str, Entry]) -> tuple[float, str]:
    """Sort by the mean difference over the tracks, best first."""
    differences = [entry.difference or 0.0 for entry in found.values()]
    return -statistics.fmean(differences), next(iter(found.values())).name
