"""Which contribution to begin with: what each does differently, what it costs, three to try first.

All of it comes from what was measured: the profiles of the gate and the rows of the board.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

from harness.board.collect import Board, collect
from harness.board.entries import Entry
from harness.contributions.record import Contribution
from harness.gate.profile import table
from harness.gate.profile.catalogue import PROPERTIES
from harness.gate.profile.summary import Difference, settings_line, what_it_does_differently
from harness.protocol.track_file import TrackFile
from toolkit.core.settings import REFERENCE_NAME

MOST_NAMED = 4
WANTED = 3
MIB = 2**20


class Advised(NamedTuple):
    """A contribution, as a user who chooses needs it: two lines, and more to unfold."""

    name: str
    summary: str  # in its contributor's own words
    differs: str  # what was measured to differ, in a line
    costs: str  # what its rows say, in a line
    more: tuple[str, ...]  # the measured numbers, and a sentence for each track


# How to sort for it, the smallest first, and the words that say it.
Reason = tuple[Callable[["Entry"], float], str]


class Recommended(NamedTuple):
    """One of the three to try first."""

    name: str
    why: str


def advised(board: Board | None = None) -> list[Advised]:
    """Return the contributions that can be read, the reference first, then by name.

    Args:
        board: The rows; None: the recorded ones, read once for a process.
    """
    board = board or recorded()
    names = [name for name, one in board.contributions.items() if offered(one)]
    ordered = sorted(names, key=lambda name: (name != REFERENCE_NAME, name.casefold()))
    return [about(board.contributions[name], measured(board, name)) for name in ordered]


@cache
def recorded() -> Board:
    """Return the board, read once."""
    return collect()


def offered(contribution: Contribution) -> bool:
    """Tell whether it is one to choose: controls prove a board, and are no methods."""
    return not contribution.path.startswith("tracks/")


def measured(board: Board, name: str) -> list[Entry]:
    """Return the entries of a contribution whose rows are of today's code."""
    return [entry for entry in board.by_name.get(name, ()) if entry.placed and not entry.control]


def about(contribution: Contribution, entries: Sequence[Entry]) -> Advised:
    """Return the two lines of a contribution, and what stands behind them."""
    found = table.known(contribution)
    is_reference = contribution.name == REFERENCE_NAME
    return Advised(
        name=contribution.name,
        summary=contribution.file.summary,
        differs="What the others are compared with."
        if is_reference
        else differs(contribution, found),
        costs=costs(entries),
        more=(
            *(() if is_reference else what_it_does_differently(contribution, found)),
            *map(on_track, entries),
        ),
    )


def differs(contribution: Contribution, found: Sequence[Difference] | None) -> str:
    """Say in a line what a contribution does differently."""
    titles = {prop.id: prop.title for prop in PROPERTIES}
    parts = []
    if settings := settings_line(contribution).partition(": ")[2].rstrip("."):
        parts.append(f"Other settings (the hub's in brackets): {settings}.")
    if found:
        named = [titles[one.property] for one in found][:MOST_NAMED]
        rest = len(found) - len(named)
        parts.append(
            f"Measured to differ in: {'; '.join(named)}{f'; {rest} more' if rest else ''}."
        )
    elif found is None and contribution.file.hooks:
        parts.append(f"Its own {', '.join(contribution.file.hooks)}; not measured yet.")
    return " ".join(parts) or "Behaves as the reference in all that the gate measures."


def costs(entries: Sequence[Entry]) -> str:
    """Say in a line what a contribution costs, over the tracks where it was measured."""
    parts = []
    if times := [one.time_ratio for one in entries if one.time_ratio]:
        parts.append(f"{spread(times, '{:.1f}')} times the reference's time")
    if memory := [one.memory_bytes / MIB for one in entries if one.memory_bytes]:
        parts.append(f"{spread(memory, '{:.0f}')} MiB of memory")
    if sizes := [one.adapter_bytes / MIB for one in entries if one.adapter_bytes]:
        parts.append(f"a file of {spread(sizes, '{:.2f}')} MiB")
    if not parts:
        return "Not measured on the board."
    return f"Costs {', '.join(parts)} (on the small embedded base)."


def spread(numbers: Sequence[float], form: str) -> str:
    """Return one number, or the lowest and the highest where they are written differently."""
    low, high = form.format(min(numbers)), form.format(max(numbers))
    return low if low == high else f"{low} to {high}"


def on_track(entry: Entry) -> str:
    """Say what a row says of a contribution on one track."""
    words = [f"{entry.track}: gain {100 * (entry.gain or 0):.1f} %"]
    if entry.drift is not None:
        words.append(f"drift {entry.drift:.3f}")
    if entry.time_ratio:
        words.append(f"{entry.time_ratio:.1f} times the reference's time")
    if entry.group == 1:
        words.append("in the best group")
    return ", ".join(words)


def kinds(board: Board | None = None) -> dict[str, str]:
    """Return the kinds of tasks that rows exist for, each with an example: its track's summary."""
    board = board or recorded()
    rows = {entry.track for entry in board.entries if entry.placed}
    found: dict[str, str] = {}
    for track in board.tracks:
        if track.file.name in rows:
            found.setdefault(track.file.kind, track.file.summary)
    return found


def recommended(kind: str, board: Board | None = None) -> list[Recommended]:
    """Return three contributions for a kind of task, from the best groups of its track.

    The one that learns most; and of the best group the cheapest, or, where no cost was measured by
    processor time, the one with the smallest file; and the one with the least risk: where sweeps
    have found it of two that are left, the one that forgives most learning rates, else the one that
    changes other prompts least.
    Where a group has fewer than three, those of the next one are looked at, too.
    """
    board = board or recorded()
    track = track_of(kind, board)
    return [] if track is None else three(leading(grouped(board, track.name)), track.name)


def track_of(kind: str, board: Board) -> TrackFile | None:
    """Return the first track of a kind that has rows to choose from."""
    files = (track.file for track in board.tracks if track.file.kind == kind)
    return next((file for file in files if grouped(board, file.name)), None)


def grouped(board: Board, track: str) -> list[Entry]:
    """Return the entries of a track that one may choose, the best first."""
    return [e for e in board.of_track(track) if e.placed and e.group and not e.control]


def leading(placed: Sequence[Entry]) -> list[Entry]:
    """Return the best groups, as few as hold three entries."""
    found: list[Entry] = []
    for entry in placed:  # the best first
        if len(found) >= WANTED and entry.group != found[-1].group:
            break
        found.append(entry)
    return found


def three(best: Iterable[Entry], track: str) -> list[Recommended]:
    """Choose three of a track's best entries, each for a reason of its own."""
    left = list(best)
    count = len(left)
    costs = [e.time_ratio for e in left if e.cost_interval and e.time_ratio]
    cheap: Reason = (
        lambda e: (e.time_ratio or math.inf) if e.cost_interval else math.inf,
        "costs least of the {count} best: {time:.2f} times the reference's processor time, gain "
        "{gain:.1f} %",
    )
    small: Reason = (
        lambda e: e.adapter_bytes or math.inf,
        "has the smallest file of the {count} best: {size:.0f} kB, gain {gain:.1f} %",
    )
    reasons: tuple[Reason, ...] = (
        (lambda e: -(e.gain or 0), "learns most: gain {gain:.1f} % on {track}"),
        cheap if costs else small,
    )
    found = []
    for number in range(min(WANTED, count)):
        key, words = reasons[number] if number < len(reasons) else least_risk(left)
        one = min(left, key=key)
        left.remove(one)
        gain, time, drift = 100 * (one.gain or 0), one.time_ratio or 0, one.drift or 0
        size, tolerance = (one.adapter_bytes or 0) / 1000, one.tolerance_text
        why = words.format(
            gain=gain,
            track=track,
            time=time,
            drift=drift,
            count=count,
            size=size,
            tolerance=tolerance,
        )
        found.append(Recommended(one.name, why))
    return found


def least_risk(best: Sequence[Entry]) -> Reason:
    """Return by what the least risk is told, and in which words.

    A learning rate that is off is the risk of a first try. So tolerance tells it where there is
    something to compare: where two or more have it.
    """
    swept = [entry for entry in best if entry.tolerance_decades is not None]
    if len(swept) > 1:
        return (
            lambda e: math.inf if e.tolerance_decades is None else -e.tolerance_decades,
            f"forgives most of the {len(swept)} others that were swept: learning rates over "
            "{tolerance} decades stay within a point of its best, gain {gain:.1f} %",
        )
    return (
        lambda e: math.inf if e.drift is None else e.drift,
        "changes other prompts least of the {count} best: drift {drift:.3f}, gain {gain:.1f} %",
    )
