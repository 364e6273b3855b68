"""The order of the board: by gain, parted into groups. See docs/protocol.md."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.protocol.row import Row
from harness.protocol.statistics.groups import compare_all, pareto_tiers


@dataclass(frozen=True)
class Place:
    """Where a row stands."""

    row: Row
    group: int  # 1 is the best; in a group nothing is clearly below anything else
    tier: int  # 1: no other row is at least as good in gain, drift, time and bytes


def places(rows: Sequence[Row]) -> list[Place]:
    """Order rows of one track and protocol; rows without a verdict have no place.

    Groups need the same seeds for all rows: the seeds that all rows share are used.
    """
    measured = [row for row in rows if row.verdict is not None]
    if not measured:
        return []
    shared = set.intersection(*({score.seed for score in row.scores} for row in measured))
    gains = {
        row.contribution: [score.gain for score in row.scores if score.seed in shared]
        for row in measured
    }
    groups = compare_all(gains).groups() if shared else [sorted(gains)]
    order = [name for group in groups for name in group]
    group_of = {name: number for number, group in enumerate(groups, 1) for name in group}
    tiers = pareto_tiers({row.contribution: costs_of(row) for row in measured})
    found = [Place(row, group_of[row.contribution], tiers[row.contribution]) for row in measured]
    return sorted(found, key=lambda place: order.index(place.row.contribution))


def costs_of(row: Row) -> tuple[float, float, float, float]:
    """Return what is to be low: loss left, drift, time as a multiple of the reference's, bytes."""
    ratio = row.costs.time_ratio if row.costs else None
    return (
        1 - statistics.fmean(score.gain for score in row.scores),
        statistics.fmean(score.own.drift for score in row.scores),
        ratio if ratio is not None else float("inf"),
        float(row.adapter_bytes or 0),
    )
