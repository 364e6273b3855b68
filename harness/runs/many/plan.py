"""The plan: every run of a board, named by its run key, with what is known about it. No torch.

A run's state says what would happen if it were executed:

done       runs/ has a good row of this very key: it answers at once
recorded   the board has a row of this code, reference and protocol, but runs/ here has none
stale      the board's row is of another code, reference or protocol: to be run
queued     not run yet
faulty     its contribution.toml cannot be read: executing it says why
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.equal_references import same_code
from harness.protocol.row import Row
from harness.protocol.statistics.planning import clearly_loses
from harness.protocol.track import Track
from harness.protocol.verdict import gain_differences
from harness.runs.folders import finished_row, run_folder
from harness.runs.key import run_key, shared_parts
from harness.runs.many.queue import Planned
from toolkit.core.record import Record

State = Literal["done", "recorded", "stale", "queued", "faulty"]
SETTLED: tuple[State, ...] = ("done", "recorded")


class PlannedRun(Record):
    """One line of the plan, for programs."""

    contribution: str
    track: str
    seeds: tuple[int, ...]
    key: str | None = Field(description="the run key; null when the contribution is faulty")
    state: State
    seconds: float | None = Field(description="estimate for one core; null: not run yet")
    memory_bytes: int


@dataclass(frozen=True)
class Ground:
    """What all runs on one track have in common, computed once."""

    track: Track
    reference: Contribution
    device: str
    shared: Mapping[str, str]
    protocol_hash: str


def ground_of(track: Track, device: str) -> Ground:
    """Compute what all runs on a track have in common."""
    shared = shared_parts(track, device)
    return Ground(track, registry.load_reference(), device, shared, track.protocol_hash())


def key_of(ground: Ground, contribution: Contribution) -> str:
    """Return a run's key."""
    where = ground.reference, ground.track, ground.device
    return run_key(contribution, *where, shared=ground.shared)


def state_of(
    ground: Ground,
    contribution: Contribution,
    seeds: Sequence[int],
    row: Row | None,
    *,
    thorough: bool,
    look_here: bool = True,
) -> State:
    """Say what would happen to a run.

    Args:
        ground: What it has in common with the others.
        contribution: Whose run.
        seeds: All of them, quick ones first.
        row: The one on the board, if there is any.
        thorough: Whether the run may end after the quick seeds because it is clearly worse.
        look_here: Whether what runs/ holds counts; without it nothing is "done".
    """
    quick = seeds[: ground.track.file.quick_seeds]
    if look_here and (
        is_done(ground, contribution, seeds)
        or (thorough and lost_early(ground, contribution, quick))
    ):
        return "done"
    if row is None:
        return "queued"
    same = (
        same_code(row.content_hash, contribution.content_hash)
        and same_code(row.reference_hash, ground.reference.content_hash)
        and row.protocol_hash == ground.protocol_hash
        and row.status in ("ok", "unmergeable")
    )
    found = [one.seed for one in (row.scores or row.own_pictures)]
    stopped = any(flag.kind == "stopped early" for flag in row.flags)
    return "recorded" if same and (set(seeds) <= set(found) or stopped) else "stale"


def is_done(ground: Ground, contribution: Contribution, seeds: Sequence[int]) -> bool:
    """Tell whether runs/ has a good row of a run."""
    return row_here(ground, contribution, seeds) is not None


def lost_early(ground: Ground, contribution: Contribution, quick: Sequence[int]) -> bool:
    """Tell whether a run ended after the quick seeds, clearly worse than the reference."""
    if registry.is_reference(contribution):
        return False
    row = row_here(ground, contribution, quick)
    return row is not None and bool(row.scores) and clearly_loses(gain_differences(row.scores))


def row_here(ground: Ground, contribution: Contribution, seeds: Sequence[int]) -> Row | None:
    """Return the good row that runs/ has of a run, or None."""
    folder = folder_of(ground, contribution)
    return finished_row(folder, ground.reference.content_hash, seeds)


def folder_of(ground: Ground, contribution: Contribution) -> Path:
    """Return the folder of a run."""
    return run_folder(ground.track.file.name, contribution.name, key_of(ground, contribution))


def line_of(
    ground: Ground,
    planned: Planned,
    contribution: Contribution | None,
    row: Row | None,
    *,
    look_here: bool = True,
) -> PlannedRun:
    """Describe one run; without a contribution it is faulty, and executing it says why."""
    task, file = planned.task, ground.track.file
    quick = file.seeds[: file.quick_seeds]
    seeds = task.seeds or (file.seeds if task.thorough else quick)
    key: str | None = None
    state: State = "faulty"
    if contribution is not None:
        key = key_of(ground, contribution)
        state = state_of(
            ground, contribution, seeds, row, thorough=task.thorough, look_here=look_here
        )
    return PlannedRun(
        contribution=task.contribution,
        track=task.track,
        seeds=seeds,
        key=key,
        state="queued" if task.fresh and key is not None else state,
        seconds=planned.seconds,
        memory_bytes=planned.memory_bytes,
    )


def without_settled(planned: Sequence[Planned], lines: Sequence[PlannedRun]) -> list[Planned]:
    """Leave out runs that have a row; a reference stays while another run on its track is left."""
    open_tracks = {line.track for line in lines if line.state not in SETTLED}
    return [
        one
        for one, line in zip(planned, lines, strict=True)
        if line.state not in SETTLED or (one.task.is_reference and line.track in open_tracks)
    ]
