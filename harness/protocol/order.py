"""The order of the board: by gain, parted into groups. See docs/protocol.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.protocol.row import Row
from harness.protocol.statistics.groups import compare_all
from harness.protocol.statistics.tiers import Burden, tiers_of


@dataclass(frozen=True)
class Place:
    """Where a row stands."""

    row: Row
    group: int  # 1 is the best; in a group nothing is clearly below anything else
    tier: int  # 1: no other row beats it; see statistics/tiers.py


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
    tiers = tiers_of({row.contribution: burden_of(row) for row in measured})
    found = [Place(row, group_of[row.contribution], tiers[row.contribution]) for row in measured]
    return sorted(found, key=lambda place: order.index(place.row.contribution))


def burden_of(row: Row) -> Burden:
    """Return what a tier weighs of a row."""
    return Burden(
        gains={score.seed: score.gain for score in row.scores},
        drifts={score.seed: score.own.drift for score in row.scores},
        cost=row.costs.cpu_ratio_interval if row.costs else None,
        size=row.adapter_bytes,
    )
