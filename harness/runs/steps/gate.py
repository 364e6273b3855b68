"""Describe the correctness gate: one worker per contribution, another where one is killed."""

from __future__ import annotations

import hashlib
import platform
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness import paths
from harness.contributions.record import Contribution
from harness.contributions.registry import is_reference
from harness.errors import GateError
from harness.gate.catalogue import all_probes, choose
from harness.gate.experiments import EXPERIMENTS
from harness.gate.job import GateJob
from harness.gate.judge import folded
from harness.gate.records import ExperimentOutcome, GateFinding, GateReport, ProbeOutcome
from harness.gate.worker import OUTCOMES_FILE, RAISED, crashed, not_run, read_outcomes
from harness.protocol.base_model import EMBEDDED_BASE
from harness.protocol.row import ErrorReport
from harness.protocol.track import Track
from harness.runs.graph.task import Ending
from harness.runs.key import LOCK, RECORDS, file_or_folder_hash
from harness.sandbox.child import Order
from harness.sandbox.files import LOG_FILE
from harness.sandbox.outcome import Outcome, log_tail
from harness.worker.jobs import Answer
from toolkit.core import atomic

REPORT_FILE = "report.json"
GATE_RUNS = "gate"  # beside the folders of the tracks in runs/

# Wall time of one experiment. The slowest takes 5 s on an idle core; machines are busy.
LIMIT_S = 180.0
STARTING_S = 60.0
NEXT_LIMIT_S = 40.0  # once one has hung: the same loop will hang in the others, too

# What a report depends on besides the contribution, the reference and the packages.
JUDGING = (
    *("harness/gate", "harness/worker", "harness/hookspecs.py", "toolkit/deltas", *RECORDS),
    "harness/contributions/recipes/combine.py",
)


class Ended(Protocol):
    """A worker that has ended: a sandboxed child, or a fork of this process."""

    out: Path

    def ended(self) -> Outcome[Answer]:
        """Return how it ended."""


@dataclass
class Gate:
    """The gate for one contribution.

    Args:
        contribution: Whose code is judged.
        reference: What it is compared with.
        track: Whose training pictures the experiments use.
        folder: Where reports and workers' files are kept.
        probes: Ids of the probes that are wanted; none: all of them, and the report is kept.
        fresh: Whether a report that lies there does not count.
        begin: Called before anything is looked at.
        limit_s: Wall time of one experiment.
        experiments: Which may be run.
    """

    contribution: Contribution
    reference: Contribution
    track: Track
    folder: Path
    probes: tuple[str, ...] = ()
    fresh: bool = False
    begin: Callable[[], None] = lambda: None
    limit_s: float = LIMIT_S
    experiments: tuple[str, ...] = EXPERIMENTS
    began: float = field(default_factory=time.monotonic)
    done: list[ExperimentOutcome] = field(default_factory=list)
    starts: int = 0
    waiting: list[str] = field(default_factory=list)
    log_tail: tuple[str, ...] = ()
    report: GateReport | None = None

    def __post_init__(self) -> None:
        wanted = {probe.experiment for probe in choose(self.probes)}
        self.waiting = [name for name in self.experiments if name in wanted]

    def known(self) -> Ending | None:
        """Take the report of an earlier run."""
        if self.report is None and not (self.fresh or self.probes):
            self.report = read_report(self.folder / REPORT_FILE)
        return None if self.report is None else "badly" if self.report.errors else "well"

    def order(self) -> Order[Answer]:
        """Describe a worker for the experiments that are still to be done."""
        if not self.starts:
            self.began = time.monotonic()
        self.starts += 1
        out = self.folder / f"worker-{self.starts}"
        job = GateJob(
            contribution=self.contribution,
            reference=self.reference,
            base_model=str(EMBEDDED_BASE),  # what a job names is what its worker may read
            data_dir=self.track.train_dir,
            experiments=tuple(self.waiting),
            probes=self.probes,
            limit_s=self.limit_s,
            out=out,
        )
        label, timeout_s = (
            f"{self.contribution.name}'s gate",
            STARTING_S + job.limit_s * len(job.experiments),
        )
        read = Answer.model_validate_json
        return Order(label, "harness.gate.worker", job, out, timeout_s, read)

    def read(self, child: Ended) -> Ending:
        """Take what a worker wrote; where it was killed, another goes on with what is left."""
        self._collect(child)
        if self.waiting:
            return "again"
        self.report = self._report()
        if not self.probes:
            text = self.report.model_dump_json(indent=1)
            atomic.write_text(self.folder / REPORT_FILE, text + "\n")
        return "badly" if self.report.errors else "well"

    def _collect(self, child: Ended) -> None:
        """Note how each experiment ended; one that ended its worker gets a finding."""
        lines = read_outcomes(child.out / OUTCOMES_FILE)
        finished = {line.experiment for line in lines if line.finished}
        self.done += [line for line in lines if line.finished]
        self.waiting = [name for name in self.waiting if name not in finished]
        outcome = child.ended()
        if any(o.probe == RAISED for line in lines for o in line.outcomes) or outcome.error:
            self.log_tail = self.log_tail or log_tail(child.out)
        if not self.waiting:
            return
        begun = [line.experiment for line in lines if not line.finished]
        quiet = ErrorReport(kind="WorkerCrash", what="the process ended before its work was done.")
        error, log = outcome.error or quiet, end_of_log(child.out / LOG_FILE)
        if not begun or begun[-1] not in self.waiting:
            # It ended before the first experiment: nothing further could run.
            name, self.waiting = "importing", []
            lost = list(choose(self.probes))
        else:
            name = begun[-1]
            self.waiting = self.waiting[self.waiting.index(name) + 1 :]
            lost = [probe for probe in choose(self.probes) if probe.experiment == name]
        what = error.what
        if any(line.startswith("Timeout (") for line in log):
            what = f"it did not end within {self.limit_s:.0f} s, the limit of an experiment."
            self.limit_s = min(self.limit_s, NEXT_LIMIT_S)
        where = error.where or deepest_line(log, self.contribution) or self.contribution.path
        outcomes = (crashed(name, what, where, error.fix), *not_run(lost, name))
        self.done.append(ExperimentOutcome(experiment=name, finished=True, outcomes=outcomes))

    def _report(self) -> GateReport:
        """Put everything together."""
        outcomes = merged([o for line in self.done for o in line.outcomes])
        if not self.probes and not any(o.probe == RAISED for o in outcomes):
            (probe,) = choose((RAISED,))
            passed = ProbeOutcome(probe=probe.id, title=probe.title, state="passed")
            outcomes = [passed, *outcomes]
        return GateReport(
            contribution=self.contribution.name,
            outcomes=folded(sorted(outcomes, key=lambda o: o.probe), all_probes()),
            cpu_seconds={line.experiment: round(line.cpu_seconds, 2) for line in self.done},
            wall_seconds=round(time.monotonic() - self.began, 2),
            log_tail=self.log_tail,
            complete=not self.probes,
        )


def merged(outcomes: Sequence[ProbeOutcome]) -> list[ProbeOutcome]:
    """Put the findings of HUB-C00 from several experiments into one outcome, each fault once."""
    others = [o for o in outcomes if o.probe != RAISED]
    raised = [o for o in outcomes if o.probe == RAISED]
    if not raised:
        return others
    found: dict[str, GateFinding] = {}
    for one in (f for o in raised for f in o.findings):
        fault = one.observed.partition(": ")[2]  # without the experiment's name
        found.setdefault(f"{one.where} {fault}", one)
    return [raised[0].model_copy(update={"findings": tuple(found.values())}), *others]


def end_of_log(path: Path) -> list[str]:
    """Return the last lines of a log; a stack inside a U-Net is longer than what a row shows."""
    if not path.is_file():
        return []
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - (64 << 10)))
        return log.read().decode("utf-8", errors="replace").splitlines()


def deepest_line(log: Sequence[str], contribution: Contribution) -> str | None:
    """Return the innermost ``file:line`` of a contribution that a dumped stack in a log names."""
    folders = tuple(
        f"{(paths.ROOT / one.path).resolve().as_posix()}/" for one in contribution.folders
    )
    for line in log:  # the watchdog prints the most recent call first
        found = re.search(r'File "([^"]+)", line (\d+)', line)
        if found and found[1].startswith(folders):
            file = Path(found[1]).relative_to(paths.ROOT).as_posix()
            return f"{file}:{found[2]}"
    return None


def gate_folder(contribution: Contribution, reference: Contribution, track: Track) -> Path:
    """Return the folder of the gate's report, named by all that the report depends on."""
    parts = [
        contribution.content_hash,
        reference.content_hash,
        track.protocol_hash(),
        hashlib.sha256(LOCK.read_bytes()).hexdigest(),
        *(file_or_folder_hash(paths.ROOT / part) for part in JUDGING),
        platform.python_version(),
    ]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return paths.RUNS / GATE_RUNS / contribution.name / key[:12]


def read_report(path: Path) -> GateReport | None:
    """Return a report that was written before, or None."""
    try:
        return GateReport.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def require_passed(contribution: Contribution, report: GateReport) -> None:
    """Stop before anything is trained when a probe found an error.

    Raises:
        GateError: It names the probes.
    """
    roots = [f for f in report.errors if f.because_of is None]
    if not report.errors:
        return
    listed = "; ".join(dict.fromkeys(f"{f.probe} {f.title.lower()}" for f in roots))
    name = contribution.name
    raise GateError(
        f"The correctness gate found {len(report.errors)} error"
        f"{'' if len(report.errors) == 1 else 's'} in {name}: {listed}.",
        where=roots[0].where if roots else None,
        fix="Mend "
        + ("the reference in src/." if is_reference(contribution) else "them one by one: ")
        + f"nox -s contribution -- {name} --only-gate",
    )
