"""How far off the best learning rate one may be: what a sweep found, put beside a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.board.entries import Entry
from harness.contributions.record import Contribution
from harness.protocol.track import Track
from harness.runs.sweep_files import sweep_of
from toolkit.core.errors import UsageError

QUARTER = 4


def with_tolerance(
    entry: Entry, contribution: Contribution | None, track: Track
) -> tuple[Entry, list[str]]:
    """Return an entry with what a sweep of today's code on its track found, if there is one.

    Returns:
        The entry, and what is wrong with the sweep's file.
    """
    try:
        found = sweep_of(contribution, track) if contribution is not None else None
    except UsageError as error:
        return entry, [f"the sweep of {entry.name} on {entry.track}: {error.what}"]
    if found is None:
        return entry, []
    one = found.tolerance
    swept = replace(
        entry,
        tolerance=(one.low, one.high),
        tolerance_decades=one.decades,
        tolerance_text=one.text,
        tolerance_sentence=one.sentence,
    )
    return swept, []


def worth_a_column(entries: Sequence[Entry]) -> bool:
    """Tell whether a table shows tolerances: a quarter of its rows at least have one."""
    swept = sum(bool(entry.tolerance_text) for entry in entries)
    return swept > 0 and swept * QUARTER >= len(entries)
