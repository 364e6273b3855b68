"""``verify reference``: train the reference anew on every track and compare with its old rows."""

from __future__ import annotations

import datetime

from rich.console import Console

from harness import paths
from harness.contributions import registry
from harness.protocol.equal_references import (
    Equality,
    Shown,
    digest_of,
    figures_digest,
    figures_of,
    losses_digest,
    same_code,
    state,
)
from harness.protocol.repeated import judge
from harness.protocol.row import Row
from harness.protocol.row_files import read_row
from harness.protocol.track import load_track, track_names
from harness.runs.pipeline import Options, Run, run_contribution
from harness.worker.jobs import DELTA_FILE, seed_folder
from toolkit.core.errors import UsageError
from toolkit.core.progress import Progress
from toolkit.core.settings import REFERENCE_NAME
from toolkit.drawings.loras import tensors_hash


def verify_reference(
    tracks: list[str],
    device: str,
    *,
    first_seed: bool,
    write: bool,
    progress: Progress,
    console: Console,
) -> int:
    """Train today's reference with the seeds of its recorded rows and compare every number.

    Args:
        tracks: Names; none means every track that has a row of the reference.
        device: Where to compute.
        first_seed: Compare the first seed of each row only.
        write: State in leaderboard/ that old and new reference are equal, if they are.
        progress: Shows how far the runs are.
        console: Where the findings go.

    Returns:
        0 when every track agrees (and, where the reference's code is another one that no statement
        covers, to the last digit), otherwise 1.

    Raises:
        UsageError: There is no row to compare with, or the track is another one since.
    """
    reference = registry.load_reference()
    rows = [row_of(name) for name in tracks or recorded_tracks()]
    if len({row.reference_hash for row in rows}) != 1:
        raise UsageError("The reference has no rows, or they are of several versions of it.")
    old, new = rows[0].reference_hash, reference.content_hash
    agree, shown = True, []
    for row in rows:
        seeds = tuple(score.seed for score in row.scores)[: 1 if first_seed else None]
        options = Options(seeds=seeds, device=device, fresh=True, skip_gate=True)
        run = run_contribution(reference, load_track(row.track), options, progress)
        agrees, sentence = judge(row, run.row)
        console.print(
            f"{row.track}: {sentence}",
            style="bold green" if agrees else "bold red",
            soft_wrap=True,
        )
        agree &= agrees
        apart = differences(row, run.row, seeds) if agrees else []
        if agrees and not apart:
            shown.append(evidence(run, seeds))
            steps, names = len(run.row.losses), ", ".join(map(str, seeds))
            equal = f"{steps} losses of seed {seeds[0]} and all figures (seeds: {names})"
            console.print(f"  Equal to the last digit: {equal}.", soft_wrap=True)
        elif agrees:
            console.print(f"  Not equal to the last digit: {', '.join(apart)}.", soft_wrap=True)
    if len(shown) < len(rows):
        return 0 if agree and same_code(old, new) and not write else 1
    if write and old != new:
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        state(Equality(old=old, new=new, shown=tuple(shown), created_at=now))
        console.print(f"Stated: {old[:19]} and {new[:19]} train to the same bits.")
    elif not same_code(old, new):
        console.print("The code is another one. To let its rows count: the same with --write.")
    return 0


def recorded_tracks() -> list[str]:
    """Return the tracks that have a row of the reference."""
    name = f"{REFERENCE_NAME}.json"
    return [track for track in track_names() if (paths.RESULTS / track / name).is_file()]


def row_of(track: str) -> Row:
    """Return the reference's row on a track.

    Raises:
        UsageError: The track is another one since, or the row has no figures.
    """
    row = read_row(paths.RESULTS / track / f"{REFERENCE_NAME}.json")
    if row.status != "ok":
        raise UsageError(f"The reference's row on {track} has the status {row.status}.")
    if row.protocol_hash != load_track(track).protocol_hash():
        raise UsageError(
            f"The track {track} changed since the reference was measured on it.",
            fix="nox -s contribution -- reference --record",
        )
    return row


def differences(row: Row, again: Row, seeds: tuple[int, ...]) -> list[str]:
    """Name what differs between two rows in any digit."""
    then = {score.seed: score for score in row.scores}
    now = {score.seed: score for score in again.scores}
    apart = [] if losses_digest(row) == losses_digest(again) else ["the losses of the first seed"]
    for seed in seeds:
        if digest_of(figures_of(then[seed])) != digest_of(figures_of(now[seed])):
            apart.append(f"the figures of seed {seed}")
    return apart


def evidence(run: Run, seeds: tuple[int, ...]) -> Shown:
    """Return what goes into the statement."""
    row = run.row
    deltas = {seed: seed_folder(run.folder / "train", seed) / DELTA_FILE for seed in seeds}
    return Shown(
        track=row.track,
        protocol_hash=row.protocol_hash,
        seeds=seeds,
        steps=len(row.losses),
        losses=losses_digest(row),
        figures=figures_digest(row, seeds),
        deltas={seed: tensors_hash(path) for seed, path in deltas.items()},
        machine=row.machine,
    )
