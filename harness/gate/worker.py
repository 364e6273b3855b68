"""The gate's child process: runs the experiments that it is given, and tells what it saw.

It judges nothing, for a contribution's code runs in it. Whatever happens in an experiment, those
before it are told already; the parent starts another process for those after it.
"""

from __future__ import annotations

import faulthandler
import importlib
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.contributions.registry import is_reference
from harness.gate.catalogue import choose
from harness.gate.job import GateJob
from harness.gate.observations import ExperimentSeen, Observation, Raised, Turn, turns
from harness.gate.probe import DoesNotApply, Probe
from harness.gate.profile.property import Profiled, Property
from harness.sandbox.events import EventWriter
from harness.worker.hooks import Hooks, innermost, load_hooks
from harness.worker.jobs import Answer
from harness.worker.main import load_torch, serve
from toolkit.core.errors import HubError, describe

if TYPE_CHECKING:
    from harness.gate.experiments.context import Context

OUTCOMES_FILE = "outcomes.jsonl"


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
        for number, turn in enumerate(turns(job.out)):
            name = turn.experiment
            events.phase(f"gate: {name}", 0.2 + 0.8 * number / len(job.experiments))
            begun = ExperimentSeen(token=turn.token, experiment=name, finished=False)
            file.write(begun.model_dump_json() + "\n")
            with watchdog(job.limit_s):
                seen = run_experiment(context, turn, probes)
            file.write(seen.model_dump_json() + "\n")
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
    context: Context, turn: Turn, probes: tuple[Probe | Property, ...]
) -> ExperimentSeen:
    """Run one experiment and note what the probes see in it, or what it raised."""
    name = turn.experiment
    mine = [one for one in probes if one.experiment == name and context.owns(*one.owners)]
    observations: list[Observation] = []
    raised = None
    began = time.process_time()
    if mine:
        module = importlib.import_module(f"harness.gate.experiments.{name}")
        try:
            seen = module.run(context)
        except Exception as error:
            traceback.print_exc()
            raised = what_was_raised(error, context.hooks)
        else:
            observations = [
                measured(one, seen, context)
                if isinstance(one, Property)
                else look(one, seen, context)
                for one in mine
            ]
    return ExperimentSeen(
        token=turn.token,
        experiment=name,
        finished=True,
        observations=tuple(observations),
        raised=raised,
        cpu_seconds=time.process_time() - began,
    )


def look(probe: Probe, seen: Any, context: Context) -> Observation:
    """Let one probe read what its experiment saw."""
    try:
        noticed = tuple(probe.check(seen))
    except DoesNotApply as reason:
        return Observation(probe=probe.id, does_not_apply=str(reason))
    return Observation(
        probe=probe.id, place=place_of(probe, context) if noticed else "", noticed=noticed
    )


def measured(prop: Property, seen: Profiled, context: Context) -> Observation:
    """Note what was measured of one property, and the likeliest line if it stands out."""
    stands_out = prop.difference(seen.ours, seen.reference) or prop.id in (
        context.hooks.owner.file.differs
    )
    return Observation(
        probe=prop.id,
        place=place_of(prop, context) if stands_out else "",
        ours=seen.ours.get(prop.id, {}),
        reference=seen.reference.get(prop.id, {}),
    )


def place_of(probe: Probe | Property, context: Context) -> str:
    """Return the likeliest line."""
    finder = context.finder
    return finder.in_source(probe.hook, probe.calls) or finder.of_hook(probe.hook)


def what_was_raised(error: Exception, hooks: Hooks) -> Raised:
    """Describe what a hook raised while an experiment ran."""
    if isinstance(error, HubError):
        return Raised(what=error.what, where=error.where or hooks.owner.path, fix=error.fix)
    where = innermost(error, *hooks.owner.folders) or hooks.owner.path
    return Raised(what=describe(error), where=where)
