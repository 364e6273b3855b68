"""The way of one contribution, top to bottom. Only this module knows the order of the steps.

check        the folder, statically                          -> Finding[]
train        its hooks in a worker, beside the reference's   -> deltas, pictures
score        base + delta in a process without its code      -> ScoreAnswer
compare      with the reference, paired by seed              -> Verdict
write        one row, one page, one sheet of pictures        -> Run
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from harness import base_model, registry, results
from harness.comparison import compare
from harness.errors import HubError, StructureError, UsageError
from harness.machine import describe_machine
from harness.page import write_page, write_sheet
from harness.progress import Progress
from harness.records import (
    Contribution,
    ErrorReport,
    Finding,
    GenerateConfig,
    Row,
    SeedScores,
    Status,
)
from harness.run_folders import PAGE_FILE, ROW_FILE, finished_row, prune, run_folder
from harness.run_key import run_key
from harness.scoring.jobs import Entry, ScoreAnswer, ScoreJob
from harness.structure import check_folder
from harness.track import Track
from harness.worker.jobs import ANSWER_FILE, DELTA_FILE, Answer, TrainJob, seed_folder
from harness.worker.process import SANDBOX, Child, ChildAnswer, Outcome, run_children

# One thread per process: figures do not depend on how many cores a machine has, and contribution
# and reference train side by side.
THREADS = 1
SCORER_TIMEOUT_S = 600

A = TypeVar("A", bound=ChildAnswer)


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
    """
    base_model.check_folder(track.base_model)
    reference = registry.load_reference()
    seeds = options.seeds or track.file.seeds

    def folder_of(one: Contribution) -> Path:
        key = run_key(one, reference, track, seeds, options.device)
        return run_folder(track.file.name, one.name, key)

    folder, reference_folder = folder_of(contribution), folder_of(reference) / "train"
    folder.mkdir(parents=True, exist_ok=True)
    findings = tuple(_findings(contribution))
    try:
        with FileLock(f"{folder}.lock", timeout=0):
            row = None if options.fresh else finished_row(folder)
            if row is not None:
                return Run(row, folder, findings, reused=True)
            attempt = _Attempt(
                contribution, reference, track, seeds, options, folder, reference_folder, progress
            )
            row = attempt.row(findings)
            prune(track.file.name, contribution.name)
    except Timeout as error:
        raise UsageError(
            f"{contribution.name} is being run by somebody else right now.",
            where=str(folder),
            fix="Wait for that run to end, or stop it.",
        ) from error
    return Run(row, folder, findings)


def _findings(contribution: Contribution) -> list[Finding]:
    """Check a contribution's folder; the reference is not a contribution folder."""
    if contribution.name == registry.REFERENCE_NAME:
        return []
    return check_folder(registry.find_folder(contribution.path))


@dataclass(frozen=True)
class _Attempt:
    """One try at one run, with everything the steps share."""

    contribution: Contribution
    reference: Contribution
    track: Track
    seeds: tuple[int, ...]
    options: Options
    folder: Path
    reference_folder: Path
    progress: Progress

    @property
    def is_reference(self) -> bool:
        return self.contribution.name == registry.REFERENCE_NAME

    def row(self, findings: Sequence[Finding]) -> Row:
        """Do the steps and write row, sheet and page, whatever the outcome."""
        pictures: list[tuple[str, list[Path]]] = []
        try:
            _require_clean(self.contribution.name, findings)
            own, reference = self.train()
            if own.answer is None or reference.answer is None:
                row = self.failed_row(own if own.error else reference)
            else:
                scored = self.score()
                row = self.ok_row(own.answer, scored)
                pictures = self.pictures(own.answer, scored)
        except HubError as error:
            report = ErrorReport(
                kind=type(error).__name__, what=error.what, where=error.where, fix=error.fix
            )
            row = self.base_row("failed", error=report)
        results.write_row(self.folder / ROW_FILE, row)
        if pictures:
            write_sheet(self.folder, pictures, self.track.file.prompts)
        write_page(self.folder / PAGE_FILE, row, findings, pictures, self.track)
        return row

    # --- train ---

    def train(self) -> tuple[Outcome[Answer], Outcome[Answer]]:
        """Train the contribution and, unless that has been done before, the reference."""
        own = self._train_child(self.contribution, self.folder / "train")
        if self.is_reference:
            run_children([own], self.progress)
            outcome = _outcome_of(own)
            return outcome, outcome
        known = _read_finished(self.reference_folder)
        if known is not None:
            run_children([own], self.progress)
            return _outcome_of(own), Outcome(known, None, "ok")
        reference = self._train_child(self.reference, self.reference_folder)
        run_children([own, reference], self.progress)
        if own.outcome and own.outcome.error:
            return own.outcome, own.outcome
        return _outcome_of(own), _outcome_of(reference)

    def _train_child(self, contribution: Contribution, out: Path) -> Child[Answer]:
        file = self.track.file
        job = TrainJob(
            contribution=contribution,
            reference=self.reference,
            base_model=str(self.track.base_model),
            device=self.options.device,
            threads=THREADS,
            out=out,
            data_dir=self.track.train_dir,
            resolution=file.resolution,
            steps=file.steps,
            batch_size=file.batch_size,
            seeds=self.seeds,
            prompts=file.prompts,
        )
        return Child(
            contribution.name,
            "harness.worker.main",
            job,
            out,
            file.timeout_s,
            Answer.model_validate_json,
        )

    # --- score ---

    def score(self) -> ScoreAnswer:
        """Have the scorer measure the base, the reference and the contribution.

        Raises:
            HubError: The scorer failed, or refused the contribution's delta.
        """
        sources = [(self.contribution.name, self.folder / "train")]
        if not self.is_reference:
            sources.insert(0, (registry.REFERENCE_NAME, self.reference_folder))
        entries = [
            Entry(label=label, seed=seed, delta=seed_folder(out, seed) / DELTA_FILE)
            for label, out in sources
            for seed in self.seeds
        ]
        file = self.track.file
        out = self.folder / "score"
        job = ScoreJob(
            base_model=str(self.track.base_model),
            heldout_dir=self.track.heldout_dir,
            resolution=file.resolution,
            grid=file.grid,
            prompts=file.prompts,
            sampling=GenerateConfig(height=file.resolution, width=file.resolution),
            entries=tuple(entries),
            device=self.options.device,
            threads=THREADS,
            out=out,
        )
        child = Child(
            "scorer",
            "harness.scoring.main",
            job,
            out,
            SCORER_TIMEOUT_S,
            ScoreAnswer.model_validate_json,
        )
        run_children([child], self.progress)
        outcome = _outcome_of(child)
        if outcome.answer is None:
            raise _as_exception(outcome.error)
        for entry in outcome.answer.entries:
            if entry.error is not None:
                raise _as_exception(entry.error)
        return outcome.answer

    # --- write ---

    def base_row(self, status: Status, **rest: object) -> Row:
        """Fill in what every row says, whatever its status."""
        file = self.contribution.file
        fields: dict[str, object] = {
            "track": self.track.file.name,
            "contribution": self.contribution.name,
            "authors": file.authors,
            "summary": file.summary,
            "own_hooks": file.hooks,
            "content_hash": self.contribution.content_hash,
            "reference_hash": self.reference.content_hash,
            "protocol_hash": self.track.protocol_hash(),
            "status": status,
            "machine": describe_machine(THREADS, SANDBOX),
            "created_at": datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        }
        return Row.model_validate(fields | rest)

    def failed_row(self, outcome: Outcome[Answer]) -> Row:
        """Say how the run ended and why."""
        status: Status = "failed" if outcome.status == "ok" else outcome.status
        return self.base_row(status, error=outcome.error)

    def ok_row(self, own: Answer, scored: ScoreAnswer) -> Row:
        """Put the scorer's figures and the comparison into a row."""
        base = scored.base
        losses = {(e.label, e.seed): e.loss for e in scored.entries}
        scores = []
        for outcome in own.seeds:
            heldout = losses[self.contribution.name, outcome.seed]
            reference = losses[registry.REFERENCE_NAME, outcome.seed]
            if base is None or heldout is None or reference is None:
                raise HubError("The scorer left out a figure.", where="harness/scoring/main.py")
            scores.append(
                SeedScores(
                    seed=outcome.seed,
                    heldout=heldout,
                    reference=reference,
                    gain=(base.mean - heldout.mean) / base.mean,
                    reference_gain=(base.mean - reference.mean) / base.mean,
                    merge_error=outcome.merge_error,
                    train_seconds=outcome.train_seconds,
                )
            )
        first = own.seeds[0]
        return self.base_row(
            "ok",
            base=base,
            scores=tuple(scores),
            verdict=compare(self.contribution.name, scores, is_reference=self.is_reference),
            losses=first.losses,
            trainable_parameters=first.trainable_parameters,
            adapter_bytes=first.adapter_bytes,
            changed_modules=first.changed_modules,
        )

    def pictures(self, own: Answer, scored: ScoreAnswer) -> list[tuple[str, list[Path]]]:
        """List the columns of the comparison: heading and one file per prompt."""
        score = self.folder / "score"
        columns = [
            (label, [score / name for name in names]) for label, names in scored.pictures.items()
        ]
        drawn = [self.folder / "train" / name for name in own.pictures]
        columns.append((f"{self.contribution.name}: its own generate", drawn))
        return columns


def _require_clean(name: str, findings: Sequence[Finding]) -> None:
    errors = tuple(finding for finding in findings if finding.severity == "error")
    if errors:
        count = f"{len(errors)} error" + ("s" if len(errors) > 1 else "")
        raise StructureError(
            f"{name} has {count} in its folder.", errors, fix=f"nox -s check -- {name}"
        )


def _outcome_of(child: Child[A]) -> Outcome[A]:
    if child.outcome is None:
        raise HubError(f"{child.label} was cut short.")
    return child.outcome


def _read_finished(folder: Path) -> Answer | None:
    """Return the answer of a finished training, or None when there is none that can be used."""
    path = folder / ANSWER_FILE
    if not path.is_file():
        return None
    try:
        answer = Answer.model_validate_json(path.read_bytes())
    except ValueError:
        return None
    deltas = [seed_folder(folder, outcome.seed) / DELTA_FILE for outcome in answer.seeds]
    whole = answer.error is None and deltas and all(path.is_file() for path in deltas)
    return answer if whole else None


def _as_exception(report: ErrorReport | None) -> HubError:
    if report is None:
        return HubError("The scorer ended without an answer.")
    return HubError(report.what, where=report.where, fix=report.fix)
