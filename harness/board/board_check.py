"""The board's own test: rows whose place is known beforehand have to be in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.protocol.row import Row
from toolkit.core.settings import REFERENCE_NAME

ROUNDING = 1e-5

MEMORISER, RANDOM, UNTOUCHED = "Memoriser", "RandomAdapter", "Untouched"


def control_faults(rows: Sequence[Row]) -> list[str]:
    """Return what is wrong with the order of the controls; an empty list is a good board.

    A control that is not among the rows is a fault as well: a board without controls proves
    nothing.
    """
    by_name = {row.contribution: row for row in rows}
    wanted = (MEMORISER, RANDOM, UNTOUCHED, REFERENCE_NAME)
    missing = [name for name in wanted if name not in by_name]
    if missing:
        return [f"No row of {name}: run `nox -s controls -- --record`." for name in missing]
    broken = [name for name in wanted if by_name[name].verdict is None]
    if broken:
        return [f"The row of {name} has no verdict: {by_name[name].status}." for name in broken]
    return [
        *memoriser_faults(by_name[MEMORISER]),
        *random_faults(by_name),
        *untouched_faults(by_name[UNTOUCHED]),
    ]


def memoriser_faults(row: Row) -> list[str]:
    """The memoriser has to lose clearly, and to be marked."""
    faults = []
    if row.verdict is None or row.verdict.outcome != "worse":
        outcome = row.verdict.outcome if row.verdict else row.status
        faults.append(f"The memoriser does not lose to the reference: {outcome}.")
    if not any(flag.kind == "copies training pictures" for flag in row.flags):
        faults.append("The memoriser's copied pictures are not marked.")
    return faults


def random_faults(by_name: Mapping[str, Row]) -> list[str]:
    """The random adapter has to be the worst of the controls and the reference."""
    gains = {
        name: row.verdict.gain
        for name, row in by_name.items()
        if row.verdict and (row.control or name == REFERENCE_NAME)
    }
    below = [name for name in gains if name != RANDOM and gains[name] <= gains[RANDOM]]
    return [f"{name} gains no more than the random adapter does." for name in sorted(below)]


def untouched_faults(row: Row) -> list[str]:
    """The untouched base is the zero of gain and drift, up to the rounding of probed weights."""
    moved = [score for score in row.scores if max(abs(score.own.gain), score.own.drift) > ROUNDING]
    return [f"The untouched base moved with seed {score.seed}." for score in moved]
