"""Which tasks make a board: the reference, the controls and every contribution on each track."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol import base_model, row_files
from harness.protocol.confirmation import EXCHANGED_SEEDS
from harness.protocol.row import Row
from harness.protocol.track import Track, board_tracks, load_track
from harness.runs.graph.memory import memory_bytes, weights_bytes
from harness.runs.many.estimates import estimate, read_seconds
from harness.runs.many.plan import PlannedRun, ground_of, line_of
from harness.runs.many.queue import Planned
from harness.runs.many.tasks import Task
from toolkit.core.errors import BaseModelError, HubError, ResultFileError, UsageError
from toolkit.core.settings import REFERENCE_NAME

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """The tasks of a board, and which tracks it cannot have."""

    planned: tuple[Planned, ...]
    lines: tuple[PlannedRun, ...]  # the same runs, as the plan shows them
    left_out: dict[str, str]  # track -> why


def choose_tracks(name: str) -> tuple[list[Track], dict[str, str]]:
    """Return the tracks to run on, and those that cannot be, with the reason.

    Raises:
        UsageError: There is no such track.
        BaseModelError: A track that was asked for by its name has no base model here.
    """
    tracks, left_out = [], {}
    for track in board_tracks() if name == ALL else [load_track(name)]:
        try:
            base_model.check_folder(track.base_model)
        except BaseModelError as error:
            if name != ALL:
                raise
            left_out[track.file.name] = error.what
        else:
            tracks.append(track)
    return tracks, left_out


def choose_names(only: Sequence[str]) -> list[str]:
    """Return whose rows a board has: all, or the reference and those that are named.

    Raises:
        UsageError: A name is unknown.
    """
    all_names = [
        REFERENCE_NAME,
        *registry.control_names(),
        *registry.contribution_names(),
    ]
    unknown = [name for name in only if name not in all_names]
    if unknown:
        raise UsageError(
            f"There is no contribution named {', '.join(map(repr, unknown))}.",
            where="--only",
            fix="nox -s list names them all; the names stand side by side with commas between.",
        )
    return [name for name in all_names if not only or name in (REFERENCE_NAME, *only)]


# What a task trains with on a track: seeds (None: the track decides), and whether these are all.
SeedsOf = Callable[[Track], tuple[tuple[int, ...] | None, bool]]


def choose(
    pattern: Task,
    track: str,
    only: Sequence[str],
    seeds_of: SeedsOf,
    *,
    from_checkout: bool = False,
) -> Choice:
    """Return the tasks of a board, all like ``pattern`` but for name, track and seeds.

    Args:
        pattern: What all tasks have in common.
        track: A track's name, or ``all``.
        only: Names to which the board is limited; none: all.
        seeds_of: Which seeds on a track; tracks differ in how many they have.
        from_checkout: Go by the recorded rows alone, not by what runs/ holds here: machines that
            share nothing but the commit then choose, and cut, the same.

    Raises:
        UsageError: There is no such track or contribution.
        BaseModelError: The track's base model is not here.
    """
    tracks, left_out = choose_tracks(track)
    names, kept = choose_names(only), {} if from_checkout else read_seconds()
    readable = {name: load_if_possible(name) for name in names}
    planned, lines = [], []
    for one in tracks:
        ground, weights = ground_of(one, pattern.device), weights_bytes(one)
        own, thorough = seeds_of(one)
        seeded = pattern.model_copy(
            update={"track": one.file.name, "seeds": own, "thorough": thorough}
        )
        for name in names:
            task = seeded.model_copy(update={"contribution": name})
            seeds, row = number_of_seeds(task, one), recorded(name, one.file.name)
            more = confirming(readable[name], one) if thorough else 0
            seconds = estimate(task, seeds, kept, row, more)
            planned.append(Planned(task, seeds, seconds, memory_bytes(weights, row)))
            line = line_of(ground, planned[-1], readable[name], row, look_here=not from_checkout)
            planned[-1] = replace(planned[-1], task=task.model_copy(update={"key": line.key}))
            lines.append(line)
    return Choice(tuple(planned), tuple(lines), left_out)


def load_if_possible(name: str) -> Contribution | None:
    """Read a contribution, or return None when it has faults."""
    try:
        return registry.load_any(name)
    except HubError:
        return None  # executing it says what is wrong


def confirming(contribution: Contribution | None, track: Track) -> int:
    """Return how many trainings the confirmation of a row adds; of none that cannot be read."""
    if contribution is None or track.exchanged is None:
        return 0
    hubs_own = registry.is_reference(contribution) or registry.is_control(contribution)
    return 0 if hubs_own else 2 * EXCHANGED_SEEDS  # its own, and the reference's beside it


def number_of_seeds(task: Task, track: Track) -> int:
    """Return how many seeds a task trains with."""
    if task.seeds is not None:
        return len(task.seeds)
    return len(track.file.seeds) if task.thorough else track.file.quick_seeds


def recorded(name: str, track: str) -> Row | None:
    """Return the row on the board, or None when there is none that can be read."""
    path = paths.RESULTS / track / f"{name}.json"
    try:
        return row_files.read_row(path) if path.is_file() else None
    except ResultFileError:
        return None  # only hints are taken from it here; building the board complains
