"""What the board teaches: the figures of docs/findings.md, and a plot for each track.

The sentences around them are people's; everything with a number is written from the rows.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from itertools import combinations

from harness.board.collect import Board
from harness.board.entries import Entry

BEGIN = "<!-- findings: begin. Written by `nox -s leaderboard`; do not edit. -->"
END = "<!-- findings: end -->"

SIGNS = {"better": "**+**", "worse": "**-**"}
FEWEST = 5  # contributions, for a correlation that says anything


def findings_block(board: Board) -> str:
    """Return the lines between the marks of docs/findings.md."""
    names = [track.file.name for track in board.tracks]
    lines = [BEGIN, "", *(sentence(name, compared(board, name)) for name in names)]
    measured = [name for name in names if compared(board, name)]
    lines += [*agreement(board, measured), *clock_noise(board, measured)]
    lines += ["", *overview(board, measured), "", END]
    return "\n".join(lines)


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
        return f"- `{track}`: nothing measured yet."
    count = {
        outcome: sum(e.outcome == outcome for e in entries)
        for outcome in ("better", "worse", "no clear difference")
    }
    early = sum(len(e.seeds) < max(len(o.seeds) for o in entries) for e in entries)
    widths = [100 * (e.interval[1] - e.interval[0]) / 2 for e in entries if e.interval]
    text = (
        f"- `{track}`: of {len(entries)} contributions {count['better']} are better than the "
        f"reference, {count['worse']} are worse, {count['no clear difference']} show no clear "
        f"difference. The median interval is ±{statistics.median(widths):.2f} points."
    )
    return text + (f" {early} lost so clearly that they got fewer seeds." if early else "")


def clock_noise(board: Board, tracks: Sequence[str]) -> Iterator[str]:
    """Say how far the times of trainings that are the reference's own, to the bit, lie apart."""
    twins = [
        entry
        for track in tracks
        for entry in compared(board, track)
        if entry.interval == (0.0, 0.0) and entry.time_ratio is not None
    ]
    ratios = [entry.time_ratio for entry in twins if entry.time_ratio is not None]
    if len(ratios) > 1:
        names = ", ".join(sorted({entry.name for entry in twins}))
        yield (
            f"- {names} train exactly as the reference does. Their times lie between "
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
        yield f"- `{one}` and `{other}` order {len(shared)} contributions alike to {found:+.2f}."


def ranks(values: Sequence[float]) -> list[float]:
    """Return each value's rank from 1; equal values share the mean of theirs."""
    ordered = sorted(values)
    return [
        statistics.fmean(i for i, other in enumerate(ordered, 1) if other == value)
        for value in values
    ]


def overview(board: Board, tracks: Sequence[str]) -> Iterator[str]:
    """Yield the table: a line for each contribution, a column for each track."""
    yield f"| contribution | own hooks | {' | '.join(tracks)} | time | kB |"
    yield f"|---|---|{'---|' * len(tracks)}---:|---:|"
    lines: dict[str, dict[str, Entry]] = {}
    for track in tracks:
        for entry in compared(board, track):
            lines.setdefault(entry.name, {})[track] = entry
    for name, found in sorted(lines.items(), key=lambda item: order(item[1])):
        some = next(iter(found.values()))
        cells = [cell(found.get(track)) for track in tracks]
        times = [entry.time_ratio for entry in found.values() if entry.time_ratio is not None]
        time = f"{statistics.median(times):.2f}" if times else ""
        size = "" if some.adapter_bytes is None else f"{some.adapter_bytes / 1000:,.0f}"
        yield f"| {name} | {some.what_is_own} | {' | '.join(cells)} | {time} | {size} |"


def order(found: dict[str, Entry]) -> tuple[float, str]:
    """Sort by the mean difference over the tracks, best first."""
    differences = [entry.difference or 0.0 for entry in found.values()]
    return -statistics.fmean(differences), next(iter(found.values())).name


def cell(entry: Entry | None) -> str:
    """Return ``**+** +1.9 ± 0.3``: the sign is there only where the difference is real."""
    if entry is None or entry.difference is None:
        return ""
    text = f"{100 * entry.difference:+.1f}"
    if entry.interval:
        text += f" ± {100 * (entry.interval[1] - entry.interval[0]) / 2:.1f}"
    return f"{SIGNS.get(entry.outcome, '')} {text}".strip()
