"""The way of one contribution, top to bottom. Only this module knows the order of the steps.

check        the folder, statically                          -> Finding[]
gate         does it train a LoRA of Stable Diffusion?      -> ContractReport
train        its hooks in a worker, beside the reference's   -> deltas, pictures
score        base + delta in a process without its code      -> ScoreAnswer
compare      with the reference, paired by seed              -> Verdict
write        one row, one page, one sheet of pictures        -> Run
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import base_model, registry, results
from harness.contract.records import ContractReport
from harness.dependencies import require_installed
from harness.errors import GateError, HubError, StructureError, UsageError
from harness.locks import Busy, held
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
from harness.steps.gate import require_passed, run_gates
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
    skip_gate: bool = False


@dataclass(frozen=True)
class Run:
    """What a run left: the row, and the folder with page, pictures and logs."""

    row: Row
    folder: Path
    findings: tuple[Finding, ...]
    reused: bool = False
    report: ContractReport | None = None


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
        with held(attempt.folder):
            report = gate(attempt, findings, options)
            known = finished_row(attempt.folder, attempt.reference.content_hash)
            summary = report.summary() if report else None
            passed = report is None or not report.errors
            if known is not None and passed and known.contract == summary and not options.fresh:
                return Run(known, attempt.folder, findings, reused=True, report=report)
            row = run_attempt(attempt, findings, report)
            for name in {contribution.name, registry.REFERENCE_NAME}:
                prune(track.file.name, name)
    except Busy as error:
        raise UsageError(
            f"{contribution.name} is being run right now, by {error}.",
            where=str(attempt.folder),
            fix="Wait for that run to end, or stop it.",
        ) from error
    return Run(row, attempt.folder, findings, report=report)


def gate(attempt: Attempt, findings: Sequence[Finding], options: Options) -> ContractReport | None:
    """Run the correctness gate on a clean folder, and on the reference beside it.

    Raises:
        GateError: The reference itself does not pass: nothing can be compared with it.
    """
    if options.skip_gate or any(finding.severity == "error" for finding in findings):
        return None
    everybody = [attempt.contribution]
    if not attempt.is_reference:
        everybody.append(attempt.reference)
    reports = run_gates(
        everybody, attempt.reference, attempt.track, attempt.progress, fresh=options.fresh
    )
    if not attempt.is_reference:
        require_passed(attempt.reference, reports[1])
    return reports[0]


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


def run_attempt(
    attempt: Attempt, findings: Sequence[Finding], report: ContractReport | None
) -> Row:
    """Do the steps and write row, sheet and page, whatever the outcome."""
    columns: Columns = []
    (attempt.folder / SHEET_FILE).unlink(missing_ok=True)  # of an earlier run
    try:
        require_clean(attempt.contribution.name, findings)
        if report is not None:
            require_passed(attempt.contribution, report)
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
        log_tail = report.log_tail if report and isinstance(error, GateError) else ()
        row = row_of_error(attempt, error, log_tail)
    if report is not None:
        row = row.model_copy(update={"contract": report.summary()})
    results.write_row(attempt.folder / ROW_FILE, row)
    if columns:
        write_sheet(attempt.folder, columns, attempt.track.file.prompts)
    write_page(attempt.folder / PAGE_FILE, row, findings, columns, attempt.track, report)
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
