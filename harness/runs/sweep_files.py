"""What sweeps over learning rates found: their records, and where they are kept.

``nox -s sweep`` writes them; board, pages and tests read them. docs/learning_rates.md is the rule.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness import paths
from harness.contributions.record import Contribution
from harness.protocol.base_model import model_hash
from harness.protocol.track import Track
from toolkit.core.errors import UsageError
from toolkit.core.hashing import content_hash
from toolkit.core.record import Record

FOLDS = 3  # parts of the training pictures; each is held back once


class Fold(Record):
    """One part of the training pictures, held back while one seed trains on the others."""

    seed: int = Field(description="that trained on the other parts")
    held_back: tuple[str, ...] = Field(min_length=1, description="pictures that were measured on")
    base_loss: float = Field(gt=0, description="of the untrained base on them")


class Trial(Record):
    """One learning rate and what came of it."""

    learning_rate: float = Field(gt=0, le=1)
    gains: tuple[float, ...] = Field(
        default=(),
        description="by how much the loss on the held-back pictures falls below the base's, as a "
        "share, one per fold; empty when a training failed",
    )
    fault: str | None = Field(default=None, description="why there is no gain")

    @property
    def gain(self) -> float:
        """The mean gain over folds; minus infinity when there is none."""
        return sum(self.gains) / len(self.gains) if self.gains else -math.inf


class Tolerance(Record):
    """The learning rates that do nearly as well as the best one tried."""

    low: float = Field(gt=0, description="the lowest of them")
    high: float = Field(gt=0, description="the highest of them")
    open_below: bool = Field(description="no lower rate was tried that does worse")
    open_above: bool = Field(description="no higher rate was tried that does worse")

    @property
    def decades(self) -> float:
        """How many powers of ten the range is wide, 0 or more."""
        return math.log10(self.high / self.low)

    @property
    def is_open(self) -> bool:
        """Whether the range may be wider than what was tried."""
        return self.open_below or self.open_above

    @property
    def text(self) -> str:
        """The width in decades, as tables show it: ``1.2``, or ``>= 1.2`` where it is open."""
        return f"{'>= ' if self.is_open else ''}{self.decades:.1f}"

    @property
    def sentence(self) -> str:
        """Which rates do nearly as well as the best, in words."""
        more = " or more: no rate beyond was tried that does worse" if self.is_open else ""
        return (
            f"Learning rates from {self.low:.2g} to {self.high:.2g} stay within a point of the "
            f"best: {self.decades:.1f} decades{more}."
        )


class Sweep(Record):
    """What a sweep over folds found: one file for each contribution and track."""

    version: Literal[2] = 2
    contribution: str
    track: str
    subject_hash: str = Field(description="over code and settings, without the learning rate")
    bench_hash: str = Field(description="over training pictures, budget, grid, base and folds")
    reference_hash: str = Field(description="of src/ at the time, for information")
    steps: int
    batch_size: int
    folds: tuple[Fold, ...] = Field(min_length=2)
    most_rates: int = Field(description="the budget of trials: rates that may be tried")
    trials: tuple[Trial, ...] = Field(min_length=2, description="ascending by rate")
    chosen: float = Field(description="the rate with the highest mean gain")
    bound: str | None = Field(
        description="why the best of all rates may lie beyond those tried; null: it lies inside"
    )
    tolerance: Tolerance = Field(description="of the mean gain over folds")
    created_at: datetime.datetime

    def fits(self, subject: str, bench: str) -> bool:
        """Tell whether its trials still hold for a contribution as it is now."""
        return (self.subject_hash, self.bench_hash) == (subject, bench)


class OldTrial(Record):
    """One learning rate of a sweep with one seed."""

    learning_rate: float = Field(gt=0, le=1)
    losses: tuple[float, ...] = Field(description="on the held-back pictures, one per seed")
    fault: str | None = None

    @property
    def mean(self) -> float:
        """The mean loss over seeds; infinite when there is none."""
        return sum(self.losses) / len(self.losses) if self.losses else math.inf


class OldSweep(Record):
    """A sweep from before there were folds: every third picture was held back, from one seed.

    None is written any more. The rates of the recorded rows come from them.
    """

    contribution: str
    track: str
    subject_hash: str
    bench_hash: str
    reference_hash: str
    steps: int
    batch_size: int
    seeds: tuple[int, ...]
    held_back: tuple[str, ...]
    base_loss: float
    trials: tuple[OldTrial, ...] = Field(min_length=2)
    chosen: float
    at_edge: bool
    created_at: datetime.datetime


def folder() -> Path:
    """Return where sweeps are kept: those with folds by track, older ones at the top."""
    return paths.RESULTS.parent / "sweeps"


def sweep_file(contribution: str, track: Track) -> Path:
    """Return where a sweep of a contribution is kept.

    One of a person's own pictures stays out of git.
    """
    name = track.file.name
    if track.is_own:
        return paths.RUNS / name / "sweep" / f"{contribution}.json"
    return folder() / name / f"{contribution}.json"


def read_sweep(path: Path) -> Sweep | None:
    """Read a sweep; None when there is none.

    Raises:
        UsageError: The file is no sweep of this version.
    """
    if not path.is_file():
        return None
    try:
        return Sweep.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise UsageError(
            f"This is no sweep: {error}", where=str(path), fix="Remove it; it is made anew."
        ) from error


def read_old_sweep(contribution: str) -> OldSweep | None:
    """Read a contribution's sweep from before there were folds; None when there is none."""
    path = folder() / f"{contribution}.json"
    return OldSweep.model_validate_json(path.read_bytes()) if path.is_file() else None


def sweep_of(contribution: Contribution, track: Track) -> Sweep | None:
    """Return the sweep with folds of a contribution as it is now, on a track as it is now.

    Raises:
        UsageError: The file is damaged.
    """
    found = read_sweep(sweep_file(contribution.name, track))
    if found is None or not found.fits(subject_hash(contribution), bench_hash(track)):
        return None
    return found


def subject_hash(contribution: Contribution) -> str:
    """Identify everything about a contribution that a sweep depends on, but the rate itself.

    Only settings that differ from their defaults: a new setting of the hub makes no sweep old.
    """
    file = contribution.file
    settings = {
        name: getattr(file.settings, name).model_dump(
            mode="json", exclude={"learning_rate"}, exclude_defaults=True
        )
        for name in ("dataset", "lora", "train")
    }
    code = content_hash(paths.ROOT / contribution.path / "src")
    return digest(json.dumps(settings, sort_keys=True), repr(file.hooks), code)


def bench_hash(track: Track) -> str:
    """Identify what a gain depends on besides the contribution."""
    file = track.file
    budget = (file.steps, file.batch_size, file.resolution, FOLDS)
    pictures = content_hash(track.train_dir)
    return digest(repr(budget), file.grid.model_dump_json(), pictures, model_hash(track.base_model))


def digest(*parts: str) -> str:
    """Return ``sha256:...`` over some texts."""
    return f"sha256:{hashlib.sha256('|'.join(parts).encode()).hexdigest()}"
