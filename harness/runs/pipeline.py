"""The way of one contribution, top to bottom. Only this module knows what needs what.

check        the folder, statically                                  -> Finding[]
gate         does it train a LoRA of Stable Diffusion?               -> GateReport
train        its hooks and the reference's, a task for each seed     -> deltas, pictures
base         the untouched base, once per machine                    -> bench
score        base + delta, a task for each seed, without its code    -> ScoreAnswer
compare      with the reference, paired by seed                      -> Verdict
write        one row, one page, one sheet of pictures                -> Run
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

from harness import paths
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
from harness.runs.graph.durations import USUAL, estimate, memory_bytes, name_of, read_seconds
from harness.runs.graph.pool import Pool, carry_out
from harness.runs.graph.task import Kind, Task
from harness.runs.key import base_key, run_key, run_parts, shared_parts
from harness.runs.page import write_page, write_sheet
from harness.runs.steps.attempt import Attempt
from harness.runs.steps.clocks import Clock, Clocks, read_clocks, write_clocks
from harness.runs.steps.columns import Columns, picture_columns
from harness.runs.steps.flags import flags_of
from harness.runs.steps.gate import GATE_RUNS, Gate, gate_folder, require_passed
from harness.runs.steps.outcomes import Scored, TrainCosts, together
from harness.runs.steps.rows import (
    common_row,
    failed_row,
    measured_row,
    row_of_error,
    stopped_early,
)
from harness.runs.steps.score import Scoring, require_repeated
from harness.runs.steps.train import Training, training
from harness.worker.jobs import seed_folder
from toolkit.core import atomic
from toolkit.core.errors import HubError, UsageError
from toolkit.core.locks import Busy, held
from toolkit.core.progress import Progress
from toolkit.core.settings import REFERENCE_NAME

W = TypeVar("W", bound="Training | Scoring | Gate")


@dataclass(frozen=True)
class Options:
    """What the user may choose about a run."""

    seeds: tuple[int, ...] | None = None
    device: str = "cpu"
    fresh: bool = False
    skip_gate: bool = False
    thorough: bool = False  # all seeds of the track, the last ones only if they can matter
    jobs: int | None = None  # tasks at once; by default as many as there are cores


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
    """Check, train, score and compare one contribution. A fault of its own becomes a failed row.

    Raises:
        UsageError: Another run of the same contribution is going on.
        BaseModelError: The track's base model is missing or incomplete.
        EnvironmentFault: A package that the contribution declares is not installed.
        GateError: The reference itself does not pass: nothing can be compared with it.
    """
    way, pool = Way(contribution, track, options, progress), Pool(options.jobs, progress)
    with way.locked:
        way.begin()
        pool.add(way.tasks())
        for fault in pool.run().values():
            raise fault
    return way.finished


class Graph:
    """What several runs in one graph share."""

    def __init__(self) -> None:
        self.works: dict[str, Training | Scoring | Gate] = {}  # id of a task -> what it does
        self.kept = read_seconds()
        self._parts: dict[tuple[str, str], Mapping[str, str]] = {}

    def parts(self, track: Track, device: str) -> Mapping[str, str]:
        """Return what the figures of all runs on a track depend on, hashed once."""
        name = track.file.name, device
        if name not in self._parts:
            self._parts[name] = shared_parts(track, device)
        return self._parts[name]


class Way:
    """The tasks of one contribution on one track, up to its row.

    A thorough run takes the quick one's seeds first. Who is clearly worse by then is not trained
    with the others: the row says so.

    Raises:
        BaseModelError: The track's base model is missing or incomplete.
        EnvironmentFault: A package that the contribution declares is not installed.
    """

    def __init__(
        self,
        contribution: Contribution,
        track: Track,
        options: Options,
        progress: Progress,
        graph: Graph | None = None,
    ) -> None:
        base_model.check_folder(track.base_model)
        self.findings = tuple(check(contribution))
        if all(finding.severity == "hint" for finding in self.findings):
            require_installed(contribution)
        self.locked = ExitStack()  # of the run's folder, from its first task on
        self.result: Run | None = None
        self._options, self._progress, self._graph = options, progress, graph or Graph()
        self._begun, self._stage, self._measures = False, 0, options.fresh
        self._memory = memory_bytes(track)
        quick = track.file.seeds[: track.file.quick_seeds]
        self.attempt = plan(contribution, track, options, options.seeds or quick, self._graph)
        self._whole = options.thorough and not options.seeds and len(track.file.seeds) > len(quick)
        if self._whole and not options.fresh and self._known(track.file.seeds) is not None:
            self.attempt = self._all_seeds()

    @property
    def finished(self) -> Run:
        """What the run left.

        Raises:
            HubError: It has not been concluded.
        """
        if self.result is None:
            raise HubError(f"{self.attempt.contribution.name} was stopped before it ended.")
        return self.result

    def begin(self) -> None:
        """Lock the run's folder.

        Raises:
            UsageError: Another run of the same contribution is going on.
        """
        if self._begun:
            return
        self.attempt.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.locked.enter_context(held(self.attempt.folder))
        except Busy as error:
            raise UsageError(
                f"{self.attempt.contribution.name} is being run right now, by {error}.",
                where=str(self.attempt.folder),
                fix="Wait for that run to end, or stop it.",
            ) from error
        self._begun = True

    def tasks(self) -> list[Task]:
        """Return what a row needs; where there is one, the gate tells whether it is still good."""
        gates = [self._task("gate", gate, gate.contribution.name) for gate in self._gated()]
        rest: list[Task] = []
        errors = any(finding.severity == "error" for finding in self.findings)
        self._measures |= self._known(self.attempt.seeds) is None
        if self._measures and not errors:
            rest = self._measuring()
        self._stage += 1
        row = Task(
            id=f"{id_of(self.attempt.folder)}/row-{self._stage}",
            kind="row",
            needs=tuple(task.id for task in (*gates, *rest)),
            heeds=tuple(task.id for task in gates[:1]),  # its own; the reference's rarely fails
            goal=self,
        )
        return [*gates, *rest, row]

    def _known(self, seeds: tuple[int, ...]) -> Row | None:
        attempt = self.attempt
        return finished_row(attempt.folder, attempt.reference.content_hash, seeds)

    def _all_seeds(self) -> Attempt:
        """Return the attempt with all seeds; the first of the later ones is trained twice."""
        file = self.attempt.track.file
        again = file.seeds[file.quick_seeds]
        return replace(self.attempt, seeds=file.seeds, again=again)

    def _work(self, work: W) -> W:
        """Return what does a task: the same for all runs that share it."""
        found = self._graph.works.setdefault(id_of(work.folder), work)
        return cast(W, found)  # a folder is of one kind

    def _task(self, kind: Kind, work: Training | Scoring | Gate, name: str, *needs: Task) -> Task:
        attempt = self.attempt
        kept = name_of(kind, attempt.track.file.name, name, attempt.device)
        return Task(
            id=id_of(work.folder),
            kind=kind,
            needs=tuple(one.id for one in needs),
            seconds=estimate(self._graph.kept, kept, kind),
            memory_bytes=self._memory,
            name=kept,
            progress=self._progress,
            work=work,
        )

    def _gated(self) -> list[Gate]:
        """Return the gate of the contribution, and of the reference beside it."""
        attempt, options = self.attempt, self._options
        skip = options.skip_gate or registry.is_control(
            attempt.contribution
        )  # they fail on purpose
        if skip or any(finding.severity == "error" for finding in self.findings):
            return []
        track, found = gate_track(attempt.track), []
        for reference in self._sides:
            who = attempt.reference if reference else attempt.contribution
            begin = nothing if reference else self.begin
            folder = gate_folder(who, attempt.reference, track)
            fresh = options.fresh and not reference
            gate = Gate(who, attempt.reference, track, folder, fresh=fresh, begin=begin)
            found.append(self._work(gate))
        return found

    def _base(self) -> Scoring:
        attempt = self.attempt
        label = f"the base of {attempt.track.file.name}"
        return self._work(Scoring(label, attempt.track, attempt.base, attempt.device))

    def _training(
        self, seed: int, *, of_reference: bool = False, again: bool = False, clock: bool = False
    ) -> Training:
        """Return a training: of its own or the reference, the second of a seed, or the clock's."""
        attempt, who = self.attempt, self.attempt.contribution
        folder, own = attempt.training(seed, of_reference=of_reference), True
        if of_reference and not attempt.is_reference:
            who, own = attempt.reference, False
        if again:
            folder = seed_folder(attempt.folder / "again", seed)
        elif clock:
            folder = attempt.clock
        spoils = attempt.scoring(seed, of_reference=of_reference)
        found = training(
            attempt,
            who,
            seed,
            folder,
            self.begin if own else nothing,
            draws=seed == attempt.seeds[0] and not (again or clock),
            fresh=clock or (own and self._options.fresh),
            spoils=None if clock else spoils,
        )
        found.shown = own  # of a yardstick nobody looks at them
        if again or clock:
            found.label += ", again"
        return self._work(found)

    def _scoring(self, seed: int, *, of_reference: bool = False) -> Scoring:
        """Return the scoring of a seed."""
        attempt = self.attempt
        own = not of_reference or attempt.is_reference
        trained = self._training(seed, of_reference=of_reference)
        again = self._training(seed, again=True) if own and seed == attempt.again else None
        name = attempt.contribution.name if own else attempt.reference.name
        folder = attempt.scoring(seed, of_reference=of_reference)
        label = f"scoring {name}, seed {seed}"
        found = Scoring(label, attempt.track, folder, attempt.device, self._base())
        found.name, found.trained = name, ((trained, again),)
        return self._work(found)

    @property
    def _sides(self) -> tuple[bool, ...]:
        """Whether it is about the reference: once for each that is trained and scored."""
        return (False,) if self.attempt.is_reference else (False, True)

    def _measuring(self) -> list[Task]:
        """Return the base, and training and scoring of each seed, of the reference too."""
        attempt = self.attempt
        base = self._task("base", self._base(), "base")
        tasks = [base]
        for side in self._sides:
            for seed in attempt.seeds:
                scoring = self._scoring(seed, of_reference=side)
                trainings = [
                    self._task("train", one, scoring.name) for one in scoring.trained[0] if one
                ]
                tasks += [*trainings, self._task("score", scoring, scoring.name, base, *trainings)]
        if self._needs_clock():
            clock = self._training(attempt.seeds[0], of_reference=True, clock=True)
            tasks.append(self._task("train", clock, attempt.reference.name))
        return tasks

    def _needs_clock(self) -> bool:
        """Tell whether something of its own is to be trained, and nothing of the reference."""
        attempt, clocks = self.attempt, read_clocks(self.attempt.folder)
        reference = [self._training(seed, of_reference=True) for seed in attempt.seeds]
        if attempt.is_reference or any(one.ran or one.known() is None for one in reference):
            return False
        own = [self._training(seed) for seed in attempt.seeds]
        return any(one.known() is None or one.job.seed not in clocks.seeds for one in own)

    def conclude(self, faults: Sequence[HubError]) -> Sequence[Task]:
        """Write the row, or return what is to be done first.

        Raises:
            HubError: Nothing can be said about the contribution: its run is going on elsewhere, or
                the reference does not pass the gate.
        """
        try:
            return self._conclude(faults)
        except BaseException:
            self.locked.close()
            raise

    def _conclude(self, faults: Sequence[HubError]) -> Sequence[Task]:
        for fault in faults:
            raise fault
        self.begin()
        reports = [gate.report for gate in self._gated()]
        if len(reports) > 1 and reports[1] is not None:
            require_passed(self.attempt.reference, reports[1])
        report = reports[0] if reports else None
        known = None if self._measures else self._known(self.attempt.seeds)
        passed = report is None or not report.errors
        if known is not None and passed:
            if known.contract == (report.summary() if report else None):
                run = Run(known, self.attempt.folder, self.findings, reused=True, report=report)
                return self._go_on(run)
            self._measures = True
            return self.tasks()
        row = self._write(report)
        for name in {self.attempt.contribution.name, REFERENCE_NAME}:
            prune(self.attempt.track.file.name, name)
            prune(GATE_RUNS, name)
        prune(BASE_RUNS, self.attempt.track.file.name)
        return self._go_on(Run(row, self.attempt.folder, self.findings, report=report))

    def _go_on(self, run: Run) -> Sequence[Task]:
        """End with a row, or go on to all seeds of the track."""
        seeds = self.attempt.track.file.seeds
        if self._whole and self.attempt.seeds != seeds and run.row.status == "ok":
            lost = clearly_loses(gain_differences(run.row.scores))
            if self.attempt.is_reference or not lost:
                self.attempt, self._measures = self._all_seeds(), self._options.fresh
                return self.tasks()
            run = replace(run, row=stopped_early(run.row, len(seeds)))
        self.result = run
        self.locked.close()
        return ()

    def _write(self, report: GateReport | None) -> Row:
        """Write row, sheet and page, whatever the outcome."""
        attempt = self.attempt
        columns: Columns = []
        (attempt.folder / SHEET_FILE).unlink(missing_ok=True)  # of an earlier run
        try:
            require_clean(attempt.contribution.name, self.findings)
            if report is not None:
                require_passed(attempt.contribution, report)
            row = self._measured()
            if row.status in ("ok", "unmergeable"):
                columns = picture_columns(attempt)
        except HubError as error:
            log_tail = report.log_tail if report and isinstance(error, GateError) else ()
            row = row_of_error(attempt, error, log_tail)
        if report is not None:
            row = row.model_copy(update={"contract": report.summary()})
        own = [attempt.training(seed) for seed in attempt.seeds]
        reference = [attempt.training(seed, of_reference=True) for seed in attempt.seeds]
        write_event_files(attempt.folder, row, own, [] if attempt.is_reference else reference)
        publish(attempt, row, self.findings, columns, report)
        return row

    def _measured(self) -> Row:
        """Return the row of what was trained and scored.

        Raises:
            HubError: Something that no row of its own kind describes went wrong.
        """
        attempt, first = self.attempt, self.attempt.seeds[0]
        clock = self._graph.works.get(id_of(attempt.clock))
        scorings = {
            side: [self._scoring(seed, of_reference=side) for seed in attempt.seeds]
            for side in self._sides
        }
        trainings = [one for side in scorings.values() for s in side for one in s.trained[0] if one]
        for one in (*trainings, *([clock] if isinstance(clock, Training) else [])):
            if one.outcome is not None and one.outcome.error is not None:
                return failed_row(attempt, one.outcome)
        for scoring in (self._base(), *(one for side in scorings.values() for one in side)):
            if scoring.error is not None:
                return common_row(attempt, "failed", error=scoring.error)
        own, theirs = scorings[False], scorings[self._sides[-1]]
        base = own[0].base_figures
        for scoring in (*own, *theirs):
            require_repeated(scoring.base_figures, base)
        scored = Scored(
            base,
            {one.seed: one for scoring in own for one in scoring.measured.entries},
            {one.seed: one for scoring in theirs for one in scoring.measured.entries},
            dict(own[0].measured.not_measured),
        )
        outcomes = tuple(scoring.trained[0][0].trained for scoring in own)
        costs = self._costs(clock if isinstance(clock, Training) else None)
        flags = flags_of(attempt, outcomes, costs, scored)
        reference = self._training(first, of_reference=True).trained
        return measured_row(attempt, outcomes, reference, costs, scored, flags)

    def _costs(self, clock: Training | None) -> TrainCosts:
        """Return what the trainings took, and note the reference's time beside them."""
        attempt = self.attempt
        own = {seed: self._training(seed) for seed in attempt.seeds}
        reference = [self._training(seed, of_reference=True) for seed in attempt.seeds]
        again = [] if attempt.again is None else [self._training(attempt.again, again=True)]
        seconds = {seed: one.train_seconds for seed, one in own.items()}
        beside = [clock] if clock is not None and clock.outcome is not None else []
        beside = [one for one in reference if one.ran] or beside or reference
        now = Clock(
            reference_seconds=statistics.fmean(one.train_seconds for one in beside),
            repeats=beside[0].trained.losses == self._losses_of(beside[0])
            if beside == [clock]
            else None,
        )
        clocks = read_clocks(attempt.folder).seeds
        clocks |= {seed: now for seed, one in own.items() if one.ran or seed not in clocks}
        write_clocks(attempt.folder, Clocks(seeds=clocks))
        beside_each = [clocks[seed] for seed in attempt.seeds]
        told = [one.repeats for one in beside_each if one.repeats is not None]
        return TrainCosts(
            train_seconds=seconds,
            worker=together([one.spent for one in (*own.values(), *again)]),
            reference_seconds=statistics.fmean(one.reference_seconds for one in beside_each),
            reference_repeats=all(told) if told else None,
        )

    def _losses_of(self, clock: Training) -> tuple[float, ...]:
        """Return the losses on file of the seed that the clock trained again."""
        return self._training(clock.job.seed, of_reference=True).trained.losses


def nothing() -> None:
    """Prepare nothing: what is shared belongs to no run."""


def id_of(folder: Path) -> str:
    """Return the id of the task that writes into a folder."""
    return folder.relative_to(paths.RUNS).as_posix()


def study_task(kind: Kind, work: Training | Scoring, progress: Progress, *needs: Task) -> Task:
    """Return a task of a study, which takes what is usual."""
    ids = tuple(one.id for one in needs)
    return Task(id_of(work.folder), kind, ids, seconds=USUAL[kind], progress=progress, work=work)


def run_gate(
    contribution: Contribution,
    track: Track,
    progress: Progress,
    *,
    probes: tuple[str, ...] = (),
    fresh: bool = False,
) -> GateReport:
    """Run the correctness gate alone.

    Raises:
        HubError: It could not be run.
    """
    reference, track = registry.load_reference(), gate_track(track)
    folder = gate_folder(contribution, reference, track)
    gate = Gate(contribution, reference, track, folder, probes, fresh)
    carry_out([Task(id_of(folder), "gate", progress=progress, work=gate)], 1)
    prune(GATE_RUNS, contribution.name)
    if gate.report is None:
        raise HubError(f"The gate of {contribution.name} left no report.")
    return gate.report


def plan(
    contribution: Contribution,
    track: Track,
    options: Options,
    seeds: tuple[int, ...],
    graph: Graph,
) -> Attempt:
    """Name the run and the reference's by what they depend on, and choose their folders."""
    reference, shared = registry.load_reference(), graph.parts(track, options.device)

    def folder_of(one: Contribution) -> Path:
        key = run_key(one, reference, track, options.device, shared=shared)
        return run_folder(track.file.name, one.name, key)

    return Attempt(
        contribution=contribution,
        reference=reference,
        track=track,
        seeds=seeds,
        again=None,
        device=options.device,
        folder=folder_of(contribution),
        reference_folder=folder_of(reference),
        base=run_folder(BASE_RUNS, track.file.name, base_key(track, shared)),
        parts=run_parts(contribution, reference, track, options.device, shared=shared),
    )


def check(contribution: Contribution) -> list[Finding]:
    """Check the folders of a contribution and its parts, but for the hub's own."""
    strangers = (one for one in contribution.folders if not registry.is_of_the_hub(one))
    return [
        finding for one in strangers for finding in check_folder(registry.find_folder(one.path))
    ]


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
    write_page(attempt.folder / PAGE_FILE, row, findings, columns, attempt.track, report)


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
