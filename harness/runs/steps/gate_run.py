"""Follow the worker of the correctness gate: experiment by experiment, started anew when killed."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness import paths
from harness.contributions.record import Contribution
from harness.gate.catalogue import choose
from harness.gate.experiments import EXPERIMENTS
from harness.gate.job import GateJob
from harness.gate.judge import RAISED, crashed, folded, judged, not_run
from harness.gate.observations import ExperimentSeen, Turn, give_turn
from harness.gate.records import ExperimentOutcome, GateFinding, GateReport, ProbeOutcome
from harness.gate.worker import OUTCOMES_FILE
from harness.protocol.base_model import EMBEDDED_BASE
from harness.protocol.row import ErrorReport
from harness.protocol.track import Track
from harness.sandbox.child import Child
from harness.sandbox.events import LineReader, clean_json
from harness.sandbox.files import LOG_FILE
from harness.sandbox.outcome import Outcome, log_tail
from harness.worker.jobs import Answer
from toolkit.core.progress import Progress

# Wall time of one experiment. The slowest takes 5 s on an idle core; machines are busy.
LIMIT_S = 180.0
STARTING_S = 60.0
NEXT_LIMIT_S = 40.0  # once one has hung: the same loop will hang in the others, too


class Worker(Protocol):
    """The process that runs the gate's job: a sandboxed child, or a fork of this process."""

    out: Path

    def poll(self, progress: Progress) -> bool:
        """Tell whether it has ended."""

    def ended(self) -> Outcome[Answer]:
        """Return how it ended."""

    def kill(self) -> None:
        """End it."""


def start_worker(label: str, job: GateJob, out: Path) -> Worker:
    """Start a sandboxed child."""
    timeout_s = STARTING_S + job.limit_s * len(job.experiments)
    read = Answer.model_validate_json
    return Child(label, "harness.gate.worker", job, out, timeout_s, read)


@dataclass
class GateRun:
    """The gate for one contribution, while it runs."""

    contribution: Contribution
    reference: Contribution
    track: Track
    folder: Path
    probes: tuple[str, ...]
    limit_s: float = LIMIT_S
    experiments: tuple[str, ...] = EXPERIMENTS
    launch: Callable[[str, GateJob, Path], Worker] = field(default=start_worker, repr=False)
    began: float = field(default_factory=time.monotonic)
    done: list[ExperimentOutcome] = field(default_factory=list)
    starts: int = 0
    child: Worker | None = None
    waiting: list[str] = field(default_factory=list)
    lines: LineReader | None = None
    turn: Turn | None = None  # the one that is not answered yet
    given: int = 0  # turns of this worker
    begun: bool = False  # whether the worker has said that it begins with the turn
    forged: str = ""  # what came out of turn
    log_tail: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wanted = {probe.experiment for probe in choose(self.probes)}
        self.waiting = [name for name in self.experiments if name in wanted]
        self.start()

    @property
    def label(self) -> str:
        """What the user sees."""
        return f"{self.contribution.name}'s gate"

    def start(self) -> None:
        """Start a worker on the experiments that are still to be done."""
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
        self.child = self.launch(self.label, job, out)
        self.lines, self.given = LineReader(out / OUTCOMES_FILE), 0
        self.next_turn(out)

    def next_turn(self, out: Path) -> None:
        """Give the worker the next experiment, or let it go; nothing can know the turn's token."""
        name = self.waiting[0] if self.waiting else ""
        self.turn = Turn(token=secrets.token_hex(16), experiment=name)
        self.begun = False
        give_turn(out, self.given, self.turn)
        self.given += 1

    def follow(self, out: Path) -> bool:
        """Read what the worker has told, judge it, and give it the next turn.

        Returns:
            Whether all of it was asked for.
        """
        for line in self.lines.lines() if self.lines else []:
            seen = read_seen(line)
            turn = self.turn
            expected = (
                seen is not None
                and turn is not None
                and bool(turn.experiment)
                and (seen.token, seen.experiment) == (turn.token, turn.experiment)
                and seen.finished == self.begun
            )
            if seen is None or not expected:
                self.forged = self.forged or line[:80].decode(errors="replace")
            elif not seen.finished:
                self.begun = True
            else:
                outcomes = judged(seen, self.contribution, choose(self.probes))
                self.done.append(
                    ExperimentOutcome(
                        experiment=seen.experiment,
                        outcomes=outcomes,
                        cpu_seconds=seen.cpu_seconds,
                    )
                )
                self.waiting = [name for name in self.waiting if name != seen.experiment]
                self.next_turn(out)
        return not self.forged

    def poll(self, progress: Progress) -> bool:
        """Follow the worker; tell whether everything is done."""
        if self.child is None:
            return True
        if not self.follow(self.child.out):
            self.refuse(self.child)
            return True
        if not self.child.poll(progress):
            return False
        child, self.child = self.child, None
        if not self.follow(child.out):
            self.refuse(child)
            return True
        self.collect(child)
        if self.waiting:
            self.start()
            return False
        return True

    def refuse(self, child: Worker) -> None:
        """End a worker in whose file stood what was not asked for; nothing it said counts."""
        child.kill()
        self.child, self.waiting = None, []
        what = f"its process wrote about the gate what it was not asked for: {self.forged!r}."
        fix = "Nothing but the harness may write into the gate's folder."
        outcomes = (
            crashed("forging", what, self.contribution.path, fix),
            *not_run(choose(self.probes), "forging"),
        )
        self.done = [ExperimentOutcome(experiment="forging", outcomes=outcomes)]

    def collect(self, child: Worker) -> None:
        """Look how a worker ended; an experiment that ended it gets a finding."""
        outcome = child.ended()
        if any(o.probe == RAISED for one in self.done for o in one.outcomes) or outcome.error:
            self.log_tail = self.log_tail or log_tail(child.out)
        if not self.waiting and outcome.error is None:
            return
        quiet = ErrorReport(kind="WorkerCrash", what="the process ended before its work was done.")
        error, log = outcome.error or quiet, end_of_log(child.out / LOG_FILE)
        if not self.waiting:
            name, lost = "leaving", []
        elif not self.begun:
            # It ended before the first experiment: nothing further could run.
            name, self.waiting = "importing", []
            lost = list(choose(self.probes))
        else:
            name, self.waiting = self.waiting[0], self.waiting[1:]
            lost = [probe for probe in choose(self.probes) if probe.experiment == name]
        what = error.what
        if any(line.startswith("Timeout (") for line in log):
            what = f"it did not end within {self.limit_s:.0f} s, the limit of an experiment."
            self.limit_s = min(self.limit_s, NEXT_LIMIT_S)
        where = error.where or deepest_line(log, self.contribution) or self.contribution.path
        outcomes = (crashed(name, what, where, error.fix), *not_run(lost, name))
        self.done.append(ExperimentOutcome(experiment=name, outcomes=outcomes))

    def report(self) -> GateReport:
        """Put everything together."""
        outcomes = merged([o for line in self.done for o in line.outcomes])
        if not self.probes and not any(o.probe == RAISED for o in outcomes):
            (probe,) = choose((RAISED,))
            passed = ProbeOutcome(probe=probe.id, title=probe.title, state="passed")
            outcomes = [passed, *outcomes]
        return GateReport(
            contribution=self.contribution.name,
            outcomes=folded(sorted(outcomes, key=lambda o: o.probe), choose(())),
            cpu_seconds={line.experiment: round(line.cpu_seconds, 2) for line in self.done},
            wall_seconds=round(time.monotonic() - self.began, 2),
            log_tail=self.log_tail,
            complete=not self.probes,
        )

    def kill(self) -> None:
        """End the worker, if there is one."""
        if self.child is not None:
            self.child.kill()


def read_seen(line: bytes) -> ExperimentSeen | None:
    """Read a line of a worker's file; None of what is none."""
    try:
        return ExperimentSeen.model_validate_json(clean_json(line))
    except ValueError:
        return None


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
