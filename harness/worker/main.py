"""The worker: runs one job with a contribution's hooks and writes one answer."""

from __future__ import annotations

import traceback
from pathlib import Path

from pydantic import TypeAdapter

from harness import atomic
from harness.errors import ContributionError, HubError, said
from harness.records import Contribution, ErrorReport
from harness.worker.events import EventWriter
from harness.worker.jobs import ANSWER_FILE, EVENTS_FILE, Answer, AnyJob, ContractJob, TrainJob

# Characters of a message; a stranger's exception may be of any length.
MESSAGE_LIMIT = 4000


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
        except Exception as error:
            traceback.print_exc()
            answer = Answer(error=report(unexpected(error, job.contribution)))
    atomic.write_text(job.out / ANSWER_FILE, answer.model_dump_json())


def run(job: AnyJob, events: EventWriter) -> Answer:
    """Import what the job needs, only now, and run it."""
    from harness.plugins import load_hooks

    load_hooks(job.contribution, job.reference)  # a fault at import is told before torch loads
    events.phase("loading torch", 0.01)
    import torch

    torch.set_num_threads(job.threads)
    torch.backends.cudnn.allow_tf32 = False  # probing reads weights to float32 precision
    if isinstance(job, TrainJob):
        from harness.worker.training import run_train_job

        return run_train_job(job, events)
    if isinstance(job, ContractJob):
        from harness.contract.worker import run_contract_job

        return run_contract_job(job, events)
    from harness.worker.generating import run_generate_job

    return run_generate_job(job, events)


def unexpected(error: Exception, contribution: Contribution) -> HubError:
    """Describe a fault that no check foresaw, pointing into the contribution where possible."""
    from harness.plugins import innermost

    return ContributionError(
        said(error),
        where=innermost(error, contribution) or contribution.path,
        fix="The end of the log has the traceback.",
    )


def report(error: HubError) -> ErrorReport:
    """Turn an exception into the record that travels to the parent."""
    return ErrorReport(
        kind=type(error).__name__,
        what=sendable(error.what),
        where=sendable(error.where) if error.where else None,
        fix=sendable(error.fix) if error.fix else None,
    )


def sendable(text: str) -> str:
    """Cut a text to a size that can be shown, and replace what no file can hold."""
    return text[:MESSAGE_LIMIT].encode("utf-8", errors="replace").decode("utf-8")
