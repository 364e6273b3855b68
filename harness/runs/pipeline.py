"""The way of one contribution, top to bottom; ``tasks`` says what waits for what.

check        the folder, statically                                    -> Finding[]
gate         does it train a LoRA of Stable Diffusion?                -> GateReport
train        meanwhile, its hooks and the reference's, seed by seed    -> deltas, pictures
score        base + delta in a process without its code, seed by seed  -> ScoreAnswer
compare      with the reference, paired by seed                        -> Verdict
write        one row, one page, one sheet of pictures                  -> Run
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.check import check_folder
from harness.contributions import registry
from harness.contributions.dependencies import require_installed
from harness.contributions.record import Contribution
from harness.errors import CheckError, Finding, GateError
from harness.gate.records import GateReport
from harness.protocol import base_model, row_files
from harness.protocol.gate_track import gate_track
from harness.protocol.row import Row
from harness.protocol.statistics.planning import clearly_loses
from harness.protocol.track import Track
from harness.protocol.verdict import gain_differences
from harness.runs.curves import write_event_files
from harness.runs.folders import (
    BASE_RUNS,
    PAGE_FILE,
    PARTS_FILE,
    ROW_FILE,
    SHEET_FILE,
    finished_row,
    prune,
    run_folder,
)
from harness.runs.graph.course import Course
from harness.runs.graph.pool import Pool, jobs_on
from harness.runs.key import base_key, run_key, run_parts, shared_parts
from harness.runs.page import write_page, write_sheet
from harness.runs.steps.attempt import Attempt
from harness.runs.steps.columns import Columns, picture_columns
from harness.runs.steps.flags import flags_of
from harness.runs.steps.gate import Gating, gate_tasks, require_passed
from harness.runs.steps.merging import merged_row, stopped_early
from harness.runs.steps.rows import common_row, failed_row, measured_row, row_of_error
from harness.runs.steps.unforeseen import last_lines, whose_fault
from harness.runs.tasks import RunTasks, is_known
from toolkit.core import atomic
from toolkit.core.errors import HubError, UsageError
from toolkit.core.locks import Busy, held
from toolkit.core.progress import Progress
from toolkit.core.settings import REFERENCE_NAME


@dataclass(frozen=True)
class Options:
    """What the user may choose about a run."""

    seeds: tuple[int, ...] | None = None
    device: str = "cpu"
    fresh: bool = False
    skip_gate: bool = False
    thorough: bool = False  # all seeds of the track, the last ones only if they can matter


@dataclass(frozen=True)
class Run:
    """What a run left: the row, and the folder with page, pictures and logs."""

    row: Row
    folder: Path
    findings: tuple[Finding, ...]
    reused: bool = False
    report: GateReport | None = None


def run_contribution(
    contribution: Contribution, track: Track, options: Options, progress: Progress
) -> Run:
    """Carry out the run of one contribution, on as many cores as there are."""
    course = run_course(contribution, track, options, progress)
    return Pool(jobs_on(options.device)).run(course, progress)


def run_course(
    contribution: Contribution, track: Track, options: Options, progress: Progress
) -> Course[Run]:
    """Check, train, score and compare one contribution. A fault of its own becomes a failed row.

    A thorough run takes the quick one's seeds first. Who is clearly worse by then is not trained
    with the others: the row says so.

    Raises:
        UsageError: Another run of the same contribution is going on.
        BaseModelError: The track's base model is missing or incomplete.
        EnvironmentFault: A package that the contribution declares is not installed.
    """
    base_model.check_folder(track.base_model)
    findings = tuple(check(contribution))
    if all(finding.severity == "hint" for finding in findings):
        require_installed(contribution)
    quick = track.file.seeds[: track.file.quick_seeds]
    rest = track.file.seeds[track.file.quick_seeds :]
    first = plan(contribution, track, options, options.seeds or quick, progress)
    run = yield from run_locked(first, findings, options)
    if options.seeds or not options.thorough or not rest or run.row.status != "ok":
        return run
    if clearly_loses(gain_differences(run.row.scores)) and not first.is_reference:
        return replace(run, row=stopped_early(run.row, len(track.file.seeds)))
    second = plan(contribution, track, options, rest, progress, repeat_first=True)
    more = yield from run_locked(second, findings, replace(options, fresh=False))
    if more.row.status != "ok":
        return more
    row = merged_row(run.row, more.row, is_reference=first.is_reference)
    whole = plan(contribution, track, options, track.file.seeds, progress)
    log_curves(whole.folder, row, [first, second])
    publish(whole, row, findings, picture_columns(first), run.report)
    reused = run.reused and more.reused
    return Run(row, whole.folder, findings, reused=reused, report=run.report)


def run_locked(attempt: Attempt, findings: tuple[Finding, ...], options: Options) -> Course[Run]:
    """Run one attempt, unless its key has a good row already, under a lock.

    Raises:
        UsageError: Another process holds the lock.
        GateError: The reference itself does not pass: nothing can be compared with it.
    """
    attempt.folder.mkdir(parents=True, exist_ok=True)
    try:
        with held(attempt.folder):
            gates = gates_of(attempt, findings, options)
            known = finished_row(attempt.folder, attempt.reference.content_hash)
            if known is not None and not attempt.fresh:
                yield gate_tasks(gates)
                if still_holds(known, gates, attempt):
                    report = report_of(gates)
                    return Run(known, attempt.folder, findings, reused=True, report=report)
            row = yield from run_attempt(attempt, findings, gates)
            for name in {attempt.contribution.name, REFERENCE_NAME}:
                prune(attempt.track.file.name, name)
            prune(BASE_RUNS, attempt.track.file.name)
    except Busy as error:
        raise UsageError(
            f"{attempt.contribution.name} is being run right now, by {error}.",
            where=str(attempt.folder),
            fix="Wait for that run to end, or stop it.",
        ) from error
    return Run(row, attempt.folder, findings, report=report_of(gates))


def gates_of(attempt: Attempt, findings: Sequence[Finding], options: Options) -> tuple[Gating, ...]:
    """Return the correctness gate of a clean folder, and of the reference beside it."""
    skip = options.skip_gate or registry.is_control(attempt.contribution)  # they fail on purpose
    if skip or any(finding.severity == "error" for finding in findings):
        return ()
    track, reference = gate_track(attempt.track), attempt.reference
    own = Gating(attempt.contribution, reference, track, fresh=options.fresh)
    return (own,) if attempt.is_reference else (own, Gating(reference, reference, track))


def still_holds(known: Row, gates: Sequence[Gating], attempt: Attempt) -> bool:
    """Tell whether a finished row is still good: the gate has to say of it what it said then."""
    require_reference(gates, attempt.reference)
    report = report_of(gates)
    passed = report is None or not report.errors
    return passed and known.contract == (report.summary() if report else None)


def require_reference(gates: Sequence[Gating], reference: Contribution) -> None:
    """Stop where the reference does not pass the gate.

    Raises:
        GateError: Nothing can be compared with it.
    """
    for gate in gates[1:]:
        if gate.report is not None:
            require_passed(reference, gate.report)


def check(contribution: Contribution) -> list[Finding]:
    """Check the folders of a contribution and its parts, but for the hub's own."""
    strangers = (one for one in contribution.folders if not registry.is_of_the_hub(one))
    return [
        finding for one in strangers for finding in check_folder(registry.find_folder(one.path))
    ]


def plan(
    contribution: Contribution,
    track: Track,
    options: Options,
    seeds: tuple[int, ...],
    progress: Progress,
    *,
    repeat_first: bool = False,
) -> Attempt:
    """Name the run and the reference's by what they depend on, and choose their folders."""
    reference, shared = registry.load_reference(), shared_parts(track, options.device)
    what = reference, track, seeds, options.device

    def folder_of(one: Contribution) -> Path:
        key = run_key(one, *what, repeat_first=repeat_first, shared=shared)
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
        repeat_first=repeat_first,
        base_folder=run_folder(BASE_RUNS, track.file.name, base_key(shared)),
        parts=run_parts(contribution, *what, repeat_first=repeat_first, shared=shared),
        progress=progress,
    )


def run_attempt(
    attempt: Attempt, findings: Sequence[Finding], gates: tuple[Gating, ...]
) -> Course[Row]:
    """Do the tasks and write row, sheet and page, whatever the outcome.

    Raises:
        GateError: The reference itself does not pass: nothing can be compared with it.
    """
    columns: Columns = []
    (attempt.folder / SHEET_FILE).unlink(missing_ok=True)  # of an earlier run
    try:
        require_clean(attempt.contribution.name, findings)
        row = yield from measure(attempt, gates)
        if row.scores or row.own_pictures:
            columns = picture_columns(attempt)
    except Exception as error:
        require_reference(gates, attempt.reference)
        row = row_of_fault(attempt, error, report_of(gates))
    report = report_of(gates)
    if report is not None:
        row = row.model_copy(update={"contract": report.summary()})
    try:
        log_curves(attempt.folder, row, [attempt])
        publish(attempt, row, findings, columns, report)
    except Exception as error:
        row = row_of_fault(attempt, error, report)
        publish(attempt, row, findings, [], report)
    return row


def report_of(gates: Sequence[Gating]) -> GateReport | None:
    """Return the report of the contribution's own gate."""
    return gates[0].report if gates else None


def row_of_fault(attempt: Attempt, error: Exception, report: GateReport | None) -> Row:
    """Return the row of an exception: the contribution's fault, the machine's or the hub's."""
    log_tail = report.log_tail if report and isinstance(error, GateError) else last_lines(error)
    return row_of_error(attempt, whose_fault(error), log_tail)


def measure(attempt: Attempt, gates: tuple[Gating, ...]) -> Course[Row]:
    """Gate, train and score.

    Raises:
        GateError: A gate found an error.
        HubError: Something that no row of its own kind describes went wrong.
    """
    with ExitStack() as shared:
        if not attempt.is_reference and not is_known(attempt):
            yield from share_reference(attempt, shared)
        tasks = RunTasks(attempt, gates, shared.close)
        all_well = yield tasks.tasks()
    require_reference(gates, attempt.reference)
    if tasks.report is not None:
        require_passed(attempt.contribution, tasks.report)
    if tasks.failed_training is not None:
        return failed_row(attempt, tasks.failed_training)
    if tasks.failed_scoring is not None:
        return common_row(attempt, "failed", error=tasks.failed_scoring)
    if not all_well:
        raise HubError("A task failed without saying why.", where="harness/runs/tasks.py")
    own, reference, costs = tasks.own.answer, tasks.reference.answer, tasks.costs()
    scored = tasks.scored()
    flags = flags_of(attempt, own, reference, costs, scored, tasks.report)
    return measured_row(attempt, own, reference, costs, scored, flags)


def share_reference(attempt: Attempt, stack: ExitStack) -> Course[None]:
    """Take the lock of the reference's run: another one may be making it, then it is waited for."""
    attempt.reference_folder.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            stack.enter_context(held(attempt.reference_folder))
        except Busy as error:
            attempt.progress.update(attempt.reference.name, 0.0, f"waiting for {error}")
            yield None
        else:
            return


def publish(
    attempt: Attempt,
    row: Row,
    findings: Sequence[Finding],
    columns: Columns,
    report: GateReport | None,
) -> None:
    """Write row, sheet and page into the run's folder; the page last, for it marks the end."""
    attempt.folder.mkdir(parents=True, exist_ok=True)
    row_files.write_row(attempt.folder / ROW_FILE, row)
    atomic.write_text(attempt.folder / PARTS_FILE, json.dumps(attempt.parts, indent=1))
    if columns:
        write_sheet(attempt.folder, columns, attempt.track.file)
    one = attempt.contribution
    write_page(attempt.folder / PAGE_FILE, row, findings, columns, attempt.track, report, one)


def log_curves(folder: Path, row: Row, attempts: Sequence[Attempt]) -> None:
    """Write the training losses of one or several attempts for TensorBoard, into one folder."""
    reference = [] if attempts[0].is_reference else [one.reference_training for one in attempts]
    write_event_files(folder, row, [one.own_training for one in attempts], reference)


def require_clean(name: str, findings: Sequence[Finding]) -> None:
    """Stop before any of its code runs when the folder has errors.

    Raises:
        CheckError: With all errors.
    """
    errors = tuple(finding for finding in findings if finding.severity == "error")
    if errors:
        count = f"{len(errors)} error" + ("s" if len(errors) > 1 else "")
        raise CheckError(
            f"{name} has {count} in its folder.", errors, fix=f"nox -s check -- {name}"
        )
