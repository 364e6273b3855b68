"""The gate's child process: runs the experiments one by one and reports each as it finishes.

Whatever happens in an experiment, those before it are told already; the parent starts another
process for those after it.
"""

from __future__ import annotations

import faulthandler
import importlib
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.contributions.registry import is_reference
from harness.gate.catalogue import all_probes, choose
from harness.gate.job import GateJob
from harness.gate.judge import judge, outcome
from harness.gate.probe import Probe
from harness.gate.profile.property import Property, judge_property
from harness.gate.records import ExperimentOutcome, GateFinding, ProbeOutcome
from harness.sandbox.events import EventWriter, clean_json
from harness.worker.hooks import Hooks, innermost, load_hooks
from harness.worker.jobs import Answer
from harness.worker.main import load_torch, serve
from toolkit.core.errors import HubError

if TYPE_CHECKING:
    from harness.gate.experiments.context import Context

OUTCOMES_FILE = "outcomes.jsonl"
OUTCOMES_LIMIT = 16 << 20  # bytes that are read of it
RAISED = "HUB-C00"


def main(job_file: Path) -> None:
    """Read a job from a file, run it, and write ``answer.json`` beside it."""
    serve(GateJob.model_validate_json(job_file.read_bytes()), run_in_child)


def run_in_child(job: GateJob, events: EventWriter) -> Answer:
    """Import torch, then run the experiments; ``prepare`` imports the contribution, watched."""
    load_torch(job, events)
    return run_gate_job(job, events)


def run_gate_job(job: GateJob, events: EventWriter) -> Answer:
    """Run the experiments of a job."""
    probes = choose(job.probes)
    with watchdog(job.limit_s):
        context = prepare(job)
    with (job.out / OUTCOMES_FILE).open("a", encoding="utf-8", buffering=1) as file:
        for number, name in enumerate(job.experiments):
            events.phase(f"gate: {name}", 0.2 + 0.8 * number / len(job.experiments))
            file.write(ExperimentOutcome(experiment=name, finished=False).model_dump_json() + "\n")
            with watchdog(job.limit_s):
                done = run_experiment(context, name, probes)
            file.write(done.model_dump_json() + "\n")
    return Answer()


@contextmanager
def watchdog(limit_s: float) -> Iterator[None]:
    """End the process if the block takes longer, and print where it was; the parent goes on.

    It is C code: it works even while a call that hangs holds the interpreter.
    """
    faulthandler.dump_traceback_later(limit_s, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def prepare(job: GateJob) -> Context:
    """Import the contribution while the process is watched, and load the models."""
    from harness.gate.audit import changes, global_state, live_threads, watching
    from harness.gate.components import Workshop
    from harness.gate.experiments.context import Context
    from harness.gate.experiments.importing import ImportSeen
    from harness.gate.places import Finder

    workshop = Workshop.shared()
    finder = Finder.of((*job.contribution.folders, job.reference))
    before, threads, began = global_state(), live_threads(), time.process_time()
    with watching(finder, job.out / "tmp") as deeds:
        hooks = load_hooks(job.contribution, job.reference)
    seconds = time.process_time() - began
    state = global_state()
    own = not is_reference(job.contribution)
    context = Context(
        hooks=hooks,
        workshop=workshop,
        finder=Finder(hooks),
        data_dir=job.data_dir,
        scratch=job.out / "tmp",
        reference=load_hooks(job.reference, job.reference) if own else None,
    )
    new_threads = sorted(live_threads() - threads)
    importing = ImportSeen(deeds, changes(before, state), new_threads, seconds)
    context.shared |= {"importing": importing, "state": state, "threads": live_threads()}
    return context


def run_experiment(
    context: Context, name: str, probes: tuple[Probe | Property, ...]
) -> ExperimentOutcome:
    """Run one experiment and the probes that read it; what it raises is a finding too."""
    mine = [probe for probe in probes if probe.experiment == name]
    applying = [probe for probe in mine if context.owns(*probe.owners)]
    outcomes = [
        outcome(probe, "not applicable", "it has none of the hooks that this probe is about")
        for probe in mine
        if probe not in applying
    ]
    began = time.process_time()
    if applying:
        module = importlib.import_module(f"harness.gate.experiments.{name}")
        try:
            seen = module.run(context)
        except Exception as error:
            traceback.print_exc()
            outcomes += [raised(error, name, context.hooks), *not_run(applying, name)]
        else:
            file = context.hooks.owner.file
            outcomes += [
                judge_property(one, seen, context.finder, file)
                if isinstance(one, Property)
                else judge(one, seen, context.finder, file)
                for one in applying
            ]
    return ExperimentOutcome(
        experiment=name,
        finished=True,
        outcomes=tuple(outcomes),
        cpu_seconds=time.process_time() - began,
    )


def raised(error: Exception, experiment: str, hooks: Hooks) -> ProbeOutcome:
    """Describe what a hook raised while an experiment ran."""
    if isinstance(error, HubError):
        what, where, fix = error.what, error.where, error.fix
    else:
        what = f"{type(error).__name__}: {error}"
        where, fix = innermost(error, *hooks.owner.folders), None
    return crashed(experiment, what, where or hooks.owner.path, fix)


def crashed(experiment: str, what: str, where: str, fix: str | None) -> ProbeOutcome:
    """Return the finding of HUB-C00 for an experiment that did not come to its end."""
    (probe,) = (one for one in all_probes() if one.id == RAISED)
    found = GateFinding(
        probe=probe.id,
        title=probe.title,
        severity="error",
        observed=f"In the experiment {experiment!r}: {what}",
        meaning=probe.meaning,
        where=where,
        fix=fix or probe.fix,
    )
    return outcome(probe, "failed", findings=(found,))


def not_run(probes: Sequence[Probe | Property], experiment: str) -> list[ProbeOutcome]:
    """Say of each probe that its experiment did not come to its end."""
    note = f"the experiment {experiment!r} did not end ({RAISED})"
    return [outcome(probe, "not run", note) for probe in probes]


def read_outcomes(path: Path) -> list[ExperimentOutcome]:
    """Read what a worker wrote; a line that was cut short, or forged badly, is passed over."""
    found: list[ExperimentOutcome] = []
    if not path.is_file():
        return found
    with path.open("rb") as file:
        data = file.read(OUTCOMES_LIMIT)
    for line in data.splitlines():
        try:
            found.append(ExperimentOutcome.model_validate_json(clean_json(line)))
        except ValueError:
            continue
    return found
