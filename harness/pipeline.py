"""The way of one contribution, top to bottom. Only this module knows the order of the steps.

check        the folder, statically                          -> Finding[]
train        its hooks in a worker, beside the reference's   -> deltas, pictures
score        base + delta in a process without its code      -> ScoreAnswer
compare      with the reference, paired by seed              -> Verdict
write        one row, one page, one sheet of pictures        -> Run
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from harness import base_model, registry, results
from harness.dependencies import require_installed
from harness.errors import HubError, StructureError, UsageError
from harness.page import write_page, write_sheet
from harness.progress import Progress
from harness.records import Contribution, Finding, Row
from harness.run_folders import (
    PAGE_FILE,
    ROW_FILE,
    SHEET_FILE,
    finished_row,
    prune,
    run_folder,
)
from harness.run_key import run_key
from harness.scoring.jobs import ScoreAnswer
from harness.steps.attempt import Attempt
from harness.steps.rows import failed_row, ok_row, row_of_error
from harness.steps.score import score
from harness.steps.train import train
from harness.structure import check_folder
from harness.track import Track
from harness.worker.jobs import picture_file

Columns = list[tuple[str, list[Path]]]


@dataclass(frozen=True)
class Options:
    """What the user may choose about a run."""

    seeds: tuple[int, ...] | None = None
    device: str = "cpu"
    fresh: bool = False


@dataclass(frozen=True)
class Run:
    """What a run left: the row, and the folder with page, pictures and logs."""

    row: Row
    folder: Path
    findings: tuple[Finding, ...]
    reused: bool = False


def run_contribution(
    contribution: Contribution, track: Track, options: Options, progress: Progress
) -> Run:
    """Check, train, score and compare one contribution. A fault of its own becomes a failed row.

    Raises:
        UsageError: Another run of the same contribution is going on.
        BaseModelError: The track's base model is missing or incomplete.
        EnvironmentFault: A package that the contribution declares is not installed.
    """
    base_model.check_folder(track.base_model)
    findings = tuple(check(contribution))
    if all(finding.severity == "hint" for finding in findings):
        require_installed(contribution)
    attempt = plan(contribution, track, options, progress)
    attempt.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(f"{attempt.folder}.lock", timeout=0):
            known = finished_row(attempt.folder, attempt.reference.content_hash)
            row = None if options.fresh else known
            if row is not None:
                return Run(row, attempt.folder, findings, reused=True)
            row = run_attempt(attempt, findings)
            for name in {contribution.name, registry.REFERENCE_NAME}:
                prune(track.file.name, name)
    except Timeout as error:
        raise UsageError(
            f"{contribution.name} is being run by somebody else right now.",
            where=str(attempt.folder),
            fix="Wait for that run to end, or stop it.",
        ) from error
    return Run(row, attempt.folder, findings)


def check(contribution: Contribution) -> list[Finding]:
    """Check a contribution's folder; the reference is not a contribution folder."""
    if registry.is_reference(contribution):
        return []
    return check_folder(registry.find_folder(contribution.path))


def plan(contribution: Contribution, track: Track, options: Options, progress: Progress) -> Attempt:
    """Name the run and the reference's by what they depend on, and choose their folders."""
    reference = registry.load_reference()
    seeds = options.seeds or track.file.seeds

    def folder_of(one: Contribution) -> Path:
        key = run_key(one, reference, track, seeds, options.device)
        return run_folder(track.file.name, one.name, key)

    return Attempt(
        contribution=contribution,
        reference=reference,
        track=track,
        seeds=seeds,
        device=options.device,
        folder=folder_of(contribution),
        reference_folder=folder_of(reference),
        fresh=options.fresh,
        progress=progress,
    )


def run_attempt(attempt: Attempt, findings: Sequence[Finding]) -> Row:
    """Do the steps and write row, sheet and page, whatever the outcome."""
    columns: Columns = []
    (attempt.folder / SHEET_FILE).unlink(missing_ok=True)  # of an earlier run
    try:
        require_clean(attempt.contribution.name, findings)
        own, reference = train(attempt)
        if own.answer is None or reference.answer is None:
            row = failed_row(attempt, own if own.error else reference)
        else:
            scored = score(attempt)
            if scored.answer is None:
                row = failed_row(attempt, scored)
            else:
                row = ok_row(attempt, own.answer, scored.answer)
                columns = picture_columns(attempt, scored.answer)
    except HubError as error:
        row = row_of_error(attempt, error)
    results.write_row(attempt.folder / ROW_FILE, row)
    if columns:
        write_sheet(attempt.folder, columns, attempt.track.file.prompts)
    write_page(attempt.folder / PAGE_FILE, row, findings, columns, attempt.track)
    return row


def require_clean(name: str, findings: Sequence[Finding]) -> None:
    """Stop before any of its code runs when the folder has errors.

    Raises:
        StructureError: With all errors.
    """
    errors = tuple(finding for finding in findings if finding.severity == "error")
    if errors:
        count = f"{len(errors)} error" + ("s" if len(errors) > 1 else "")
        raise StructureError(
            f"{name} has {count} in its folder.", errors, fix=f"nox -s check -- {name}"
        )


def picture_columns(attempt: Attempt, scored: ScoreAnswer) -> Columns:
    """List the columns of the comparison: heading and one file per prompt."""
    folder = attempt.folder / "score"
    columns = [
        (label, [folder / name for name in names]) for label, names in scored.pictures.items()
    ]
    numbers = range(len(attempt.track.file.prompts))
    drawn = [picture_file(attempt.own_training, number) for number in numbers]
    columns.append(("its own generate", drawn))
    return columns
