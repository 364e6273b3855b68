"""Confirm a row before it is recorded: on exchanged training pictures and a second held-out set.

Both sets lie where no contribution's process can read them: a worker sees a copy of the pictures
that it trains on and nothing else of a track. A track without such sets confirms nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.contributions.record import Contribution
from harness.contributions.registry import is_control, is_reference
from harness.protocol import row_files
from harness.protocol.confirmation import (
    EXCHANGED_SEEDS,
    Confirmation,
    Exchange,
    Pair,
    SecondHeldout,
)
from harness.protocol.figures import Flag
from harness.protocol.row import Row
from harness.protocol.track import Track
from harness.runs.folders import PAGE_FILE, ROW_FILE
from harness.runs.graph.course import Course
from harness.runs.page import write_page
from harness.runs.pipeline import Options, Run, plan, run_course
from harness.runs.steps.attempt import Attempt
from harness.runs.steps.columns import picture_columns
from harness.runs.steps.one_child import OneChild
from harness.runs.steps.rows import withheld
from harness.runs.steps.score import figures_of, losses_on, scorer
from harness.scoring.jobs import Entry
from harness.worker.jobs import DELTA_FILE, seed_folder
from toolkit.core.errors import HubError
from toolkit.core.progress import Progress

OWN, REFERENCE = "own", "reference"


def confirmed_course(
    contribution: Contribution, track: Track, options: Options, progress: Progress
) -> Course[Run]:
    """Carry out the run of one contribution and confirm its row: as it is recorded."""
    run = yield from run_course(contribution, track, options, progress)
    return (yield from confirmed(run, contribution, track, options, progress))


def confirmed(
    run: Run, contribution: Contribution, track: Track, options: Options, progress: Progress
) -> Course[Run]:
    """Return a run whose row says what it was confirmed by; one that is refuted is withheld.

    The reference, controls and rows without a place are as they were, and so are those of a track
    that provides no sets.
    """
    nothing = track.exchanged is None and track.second_heldout_dir is None
    hubs_own = is_reference(contribution) or is_control(contribution)
    if nothing or hubs_own or run.row.status != "ok":
        return run
    quick = track.file.seeds[: track.file.quick_seeds]
    first = plan(contribution, track, options, options.seeds or quick, progress)
    found = yield from confirm(run.row, first, options)
    row = with_confirmation(run.row, found)
    row_files.write_row(run.folder / ROW_FILE, row)
    columns = picture_columns(first)
    page = run.folder / PAGE_FILE
    write_page(page, row, run.findings, columns, track, run.report, contribution)
    return replace(run, row=row)


def with_confirmation(row: Row, found: Confirmation) -> Row:
    """Return a row with what was found, without a verdict if that speaks against it."""
    flags = [Flag(kind="brought along", text=" ".join(found.faults))] if found.faults else []
    if found.failed is not None:
        text = f"Nothing shows that its gain comes from its training: {found.failed}"
        flags.append(Flag(kind="not confirmed", text=text))
    update: dict[str, object] = {"confirmation": found, "flags": (*row.flags, *flags)}
    if flags:
        update |= {"status": "withheld", "verdict": None, "error": withheld(flags)}
    return row.model_copy(update=update)


def confirm(row: Row, first: Attempt, options: Options) -> Course[Confirmation]:
    """Train on exchanged pictures, and score on all sets that the track provides.

    Args:
        row: What was measured.
        first: The attempt that trained the row's first seeds, whose files are still there.
        options: Of the run.
    """
    found = Confirmation(of_the_board=first.track.has_board_sets)
    if first.track.second_heldout_dir is not None:
        second = yield from second_heldout(row, first)
        found = found.model_copy(update={"second_heldout": second})
    if first.track.exchanged is not None:
        exchanged = yield from exchange(row, first, first.track.exchanged, options)
        found = found.model_copy(update=exchanged)
    return found


def second_heldout(row: Row, first: Attempt) -> Course[SecondHeldout]:
    """Score the first seeds' changes of weights on the second set of held-out pictures."""
    heldout = first.track.second_heldout_dir
    if heldout is None:
        raise HubError("There is no second set to score on.", where=str(first.track.folder))
    out = first.folder / "second-heldout"
    gains = yield from score(first, out, first.track.train_dir, heldout)
    scored = pair_of(row, first.seeds)
    return SecondHeldout(seeds=first.seeds, scored=scored, second=gains)


def exchange(
    row: Row, first: Attempt, exchanged: Track, options: Options
) -> Course[Mapping[str, object]]:
    """Train contribution and reference on exchanged pictures; return fields of a Confirmation."""
    seeds = first.seeds[:EXCHANGED_SEEDS]
    again = replace(options, seeds=seeds, thorough=False, skip_gate=True)
    run = yield from run_course(first.contribution, exchanged, again, first.progress)
    if run.row.status != "ok":
        why = run.row.error.what if run.row.error else ""
        return {"failed": f"on exchanged pictures its training ended as {run.row.status}. {why}"}
    there = plan(first.contribution, exchanged, again, seeds, first.progress)
    heldout = first.track.heldout_dir
    out = there.folder / "first-heldout"
    kept = yield from score(there, out, exchanged.train_dir, heldout)
    carried = pair_of(run.row, seeds)
    scored = pair_of(row, seeds)
    return {"exchange": Exchange(seeds=seeds, scored=scored, carried=carried, kept=kept)}


def score(attempt: Attempt, out: Path, train_dir: Path, heldout_dir: Path) -> Course[Pair]:
    """Return the mean gains of what an attempt trained on other held-out pictures.

    Raises:
        HubError: The scorer failed.
    """
    trained = {OWN: attempt.own_training, REFERENCE: attempt.reference_training}
    entries = tuple(
        Entry(label=label, seed=seed, delta=seed_folder(folder, seed) / DELTA_FILE)
        for label, folder in trained.items()
        for seed in attempt.seeds
    )
    label = f"confirming {attempt.contribution.name}"
    track, device = attempt.track, attempt.device
    fields = losses_on(track, train_dir, heldout_dir)
    scoring = OneChild(label, lambda: scorer(label, track, entries, out, device, **fields))
    yield [scoring.task("score", track)]
    answer = figures_of(scoring.answer)
    refused = [one.error.what for one in answer.entries if one.error]
    if refused:
        raise HubError(f"The scorer failed. {' '.join(refused)}", where=str(out))
    gains = {
        label: [one.figures.gain for one in answer.entries if one.figures and one.label == label]
        for label in trained
    }
    return Pair(own=statistics.fmean(gains[OWN]), reference=statistics.fmean(gains[REFERENCE]))


def pair_of(row: Row, seeds: Sequence[int]) -> Pair:
    """Return the mean gains of a row over some of its seeds."""
    scores = [one for one in row.scores if one.seed in seeds]
    own = statistics.fmean(one.gain for one in scores)
    return Pair(own=own, reference=statistics.fmean(one.reference_gain for one in scores))
