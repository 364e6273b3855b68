"""The task that takes one contribution through the correctness gate, and its report."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness import paths
from harness.contributions.record import Contribution
from harness.contributions.registry import is_reference
from harness.errors import GateError
from harness.gate.records import GateReport
from harness.protocol.base_model import EMBEDDED_BASE
from harness.protocol.track import Track
from harness.runs.folders import prune
from harness.runs.graph.durations import estimate, name_of, read_seconds
from harness.runs.graph.memory import memory_bytes, weights_of
from harness.runs.graph.pool import Pool
from harness.runs.graph.task import AlreadyDone, Followed, Task, lock_now
from harness.runs.key import LOCK, RECORDS, file_or_folder_hash
from harness.runs.steps.gate_run import GateRun
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.core.progress import Progress

REPORT_FILE = "report.json"
GATE_RUNS = "gate"  # beside the folders of the tracks in runs/

# What a report depends on besides the contribution, the reference and the packages.
JUDGING = (
    *("harness/gate", "harness/worker", "harness/hookspecs.py", "toolkit/deltas", *RECORDS),
    "harness/contributions/recipes/combine.py",
)


@dataclass
class Gating:
    """The task that takes one contribution through the gate; unchanged ones come from disk.

    Args:
        contribution: Who is looked at.
        reference: What is beside it.
        track: What the gate's pictures come from.
        probes: Which probes; none means all.
        fresh: Whether a report that lies there does not count.
    """

    contribution: Contribution
    reference: Contribution
    track: Track
    probes: tuple[str, ...] = ()
    fresh: bool = False
    report: GateReport | None = None
    _run: GateRun | None = None
    _lock: FileLock | None = None

    def __post_init__(self) -> None:
        self.folder = gate_folder(self.contribution, self.reference, self.track)
        self.report = self._read()

    def start(self) -> Followed | None:
        """Start its worker."""
        self._lock = lock_now(self.folder)
        if self._lock is None:
            return None
        self.report = self._read()
        if self.report is not None:  # another process has run it meanwhile
            return AlreadyDone()
        self._run = GateRun(self.contribution, self.reference, self.track, self.folder, self.probes)
        return self._run

    def keep(self) -> bool:
        """Take the report, and tell whether nothing in it is an error."""
        if self._run is not None:
            self.report = self._run.report()
            if not self.probes:
                text = self.report.model_dump_json(indent=1)
                atomic.write_text(self.folder / REPORT_FILE, text + "\n")
            prune(GATE_RUNS, self.contribution.name)
        return self.report is not None and not self.report.errors

    def close(self) -> None:
        """Let other runs have it."""
        if self._lock is not None:
            self._lock.release()

    def _read(self) -> GateReport | None:
        return None if self.fresh or self.probes else read_report(self.folder / REPORT_FILE)


def gate_task(work: Gating, kept: Mapping[str, float]) -> Task:
    """Return the task of a gate; its end is awaited whatever else happens.

    Args:
        work: What it does.
        kept: What tasks took here.
    """
    name = name_of("gate", "", "cpu", work.contribution.name)
    return Task(
        id=f"the gate of {work.contribution.name}",
        kind="gate",
        work=work,
        seconds=estimate(kept, name, "gate"),
        memory_bytes=memory_bytes(weights_of(EMBEDDED_BASE), None),
        name="" if work.probes else name,
        heeded=True,
    )


def gate_tasks(gates: Sequence[Gating]) -> list[Task]:
    """Return the tasks of gates whose reports are not known yet."""
    kept = read_seconds()
    return [gate_task(gate, kept) for gate in gates if gate.report is None]


def run_gates(
    contributions: Sequence[Contribution],
    reference: Contribution,
    track: Track,
    progress: Progress,
    *,
    probes: tuple[str, ...] = (),
    fresh: bool = False,
) -> list[GateReport]:
    """Return the report of each contribution, side by side; unchanged ones come from disk."""
    gates = [Gating(one, reference, track, probes, fresh) for one in contributions]
    Pool().run_tasks(gate_tasks(gates), progress)
    return [reported(gate) for gate in gates]


def reported(gate: Gating) -> GateReport:
    """Return the report of a gate that was run.

    Raises:
        HubError: There is none.
    """
    if gate.report is None:
        raise HubError(f"The gate of {gate.contribution.name} was stopped before it ended.")
    return gate.report


def gate_folder(contribution: Contribution, reference: Contribution, track: Track) -> Path:
    """Return the folder of the gate's report, named by all that the report depends on."""
    parts = [
        contribution.content_hash,
        repr(sorted(contribution.file.differs.items())),  # no part of the hash
        reference.content_hash,
        track.protocol_hash(),
        hashlib.sha256(LOCK.read_bytes()).hexdigest(),
        *(file_or_folder_hash(paths.ROOT / part) for part in JUDGING),
        platform.python_version(),
    ]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return paths.RUNS / GATE_RUNS / contribution.name / key[:12]


def known_report(
    contribution: Contribution, reference: Contribution, track: Track
) -> GateReport | None:
    """Return the report of a contribution that was through the gate here, as it is; or None."""
    return read_report(gate_folder(contribution, reference, track) / REPORT_FILE)


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
