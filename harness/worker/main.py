"""The worker: runs one job with a contribution's hooks and writes one answer."""

from __future__ import annotations

import traceback
from pathlib import Path

from pydantic import TypeAdapter

from harness import atomic
from harness.errors import HubError
from harness.records import ErrorReport
from harness.worker.events import EventWriter
from harness.worker.jobs import ANSWER_FILE, EVENTS_FILE, Answer, AnyJob, TrainJob


def main(job_file: Path) -> None:
    """Read the job, run it, write ``answer.json`` beside it. Faults are answers too."""
    job: AnyJob = TypeAdapter(AnyJob).validate_json(job_file.read_bytes())
    with EventWriter(job.out / EVENTS_FILE) as events:
        try:
            answer = run(job, events)
        except HubError as error:
            # The parent shows the message; the log keeps the traceback for whoever wants it.
            traceback.print_exc()
            answer = Answer(error=report(error))
    atomic.write_text(job.out / ANSWER_FILE, answer.model_dump_json())


def run(job: AnyJob, events: EventWriter) -> Answer:
    """Import what the job needs, only now, and run it."""
    events.phase("loading torch", 0.01)
    import torch

    torch.set_num_threads(job.threads)
    if isinstance(job, TrainJob):
        from harness.worker.training import run_train_job

        return run_train_job(job, events)
    from harness.worker.generating import run_generate_job

    return run_generate_job(job, events)


def report(error: HubError) -> ErrorReport:
    """Turn an exception into the record that travels to the parent."""
    return ErrorReport(kind=type(error).__name__, what=error.what, where=error.where, fix=error.fix)
