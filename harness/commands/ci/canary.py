"""The canary: run the reference again and see whether its figures still are what they were."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from harness.protocol.equal_references import same_code
from harness.protocol.row import Row
from toolkit.core.errors import UsageError

SIGMAS = 3.0


@dataclass(frozen=True)
class Sighting:
    """The recorded and the new figure, and how far apart chance may bring them."""

    recorded: float  # mean gain over seeds, as a share of the base's loss
    now: float
    tolerance: float  # three standard errors of the recorded mean

    @property
    def alive(self) -> bool:
        """Whether nothing has drifted."""
        return abs(self.now - self.recorded) <= self.tolerance

    def sentence(self) -> str:
        """Say it in figures."""
        moved = abs(self.now - self.recorded)
        return (
            f"The reference's gain was {self.recorded:.2%} and is {self.now:.2%}: it moved by "
            f"{moved:.2%} points, {'within' if self.alive else 'beyond'} the "
            f"{self.tolerance:.2%} that {SIGMAS:g} standard errors allow."
        )


def compare(recorded: Row, now: Row) -> Sighting:
    """Compare two rows of the reference.

    Raises:
        UsageError: They were measured by other rules, one of them failed, or there are too few
            seeds for a sigma.
    """
    for row in (recorded, now):
        if row.status != "ok":
            reason = row.error.what if row.error else "no reason was recorded"
            raise UsageError(f"The reference did not run well: {row.status}: {reason}")
    for field in ("track", "protocol_hash", "reference_hash"):
        if not same_code(getattr(recorded, field), getattr(now, field)):
            raise UsageError(
                f"The two rows differ in {field}: they cannot be compared.",
                where=f"leaderboard/results/{recorded.track}/{recorded.contribution}.json",
                fix="nox -s contribution -- reference --record",
            )
    before, after = gains(recorded), gains(now)
    if len(before) < 3:
        raise UsageError(
            f"{len(before)} recorded seeds do not tell how much chance there is.",
            fix="Record the reference with three seeds or more.",
        )
    error = statistics.stdev(before) / math.sqrt(len(before))
    return Sighting(statistics.mean(before), statistics.mean(after), SIGMAS * error)


def gains(row: Row) -> list[float]:
    """Return the gain of each seed."""
    return [score.gain for score in row.scores]
