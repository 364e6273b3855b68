"""The worker: runs one job with a contribution's hooks and writes one answer."""

from __future__ import annotations

import contextlib
import sys
import traceback
from pathlib import Path

from pydantic import TypeAdapter

from harness import atomic
from harness.errors import ContributionError, HubError, said
from harness.records import Contribution, ErrorReport
from harness.worker.events import EventWriter
from harness.worker.jobs import (
    ANSWER_FILE,
    EVENTS_FILE,
    TRACE_MARK,
    Answer,
    AnyJob,
    ContractJob,
    FinetuneJob,
    TrainJob,
)

# Characters of a message; a stranger's exception may be of any length.
MESSAGE_LIMIT = 4000


def main(job_file: Path) -> None:
    """Read the job, run it, write ``answer.json`` beside it. Faults are answers too."""
    job: AnyJob = TypeAdapter(AnyJob).validate_json(job_file.read_bytes())
    with EventWriter(job.out / EVENTS_FILE) as events:
        try:
            answer = run(job, events)
        except HubError as error:
            answer = Answer(error=fault(error, error, job.contribution))
        except Exception as error:
            found = unexpected(error, job.contribution)
            answer = Answer(error=fault(found, error, job.contribution))
    atomic.write_text(job.out / ANSWER_FILE, answer.model_dump_json())


def run(job: AnyJob, events: EventWriter) -> Answer:
    """Import what the job needs, only now, and run it."""
    if not isinstance(job, ContractJob):  # the gate's experiments import it themselves
        from harness.plugins import load_hooks

        load_hooks(job.contribution, job.reference)  # a fault at import comes before torch loads
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
    if isinstance(job, FinetuneJob):
        from harness.worker.finetuning import run_finetune_job

        return run_finetune_job(job, events)
    from harness.worker.generating import run_generate_job

    return run_generate_job(job, events)


def unexpected(error: Exception, contribution: Contribution) -> HubError:
    """Describe a fault that no check foresaw, pointing into the contribution where possible."""
    from harness.plugins import innermost

    return ContributionError(
        said(error),
        where=innermost(error, *contribution.folders) or contribution.path,
        fix="log.txt has the whole traceback.",
    )


def report(error: HubError) -> ErrorReport:
    """Turn an exception into the record that travels to the parent."""
    return ErrorReport(
        kind=type(error).__name__,
        what=sendable(error.what),
        where=sendable(error.where) if error.where else None,
        fix=sendable(error.fix) if error.fix else None,
    )


def fault(told: HubError, raised: Exception, contribution: Contribution) -> ErrorReport:
    """Describe a fault with the lines of the contribution's own files only.

    The log keeps the whole traceback, after a line by which the parent knows where it begins.
    """
    from harness.plugins import own_trace

    with contextlib.suppress(OSError, ValueError):  # it may have closed what it prints to
        sys.stdout.flush()  # or what it printed comes after the traceback
    print(TRACE_MARK, file=sys.stderr, flush=True)
    traceback.print_exc()
    lines = tuple(sendable(line) for line in own_trace(raised, contribution))
    return report(told).model_copy(update={"log_tail": lines})


def sendable(text: str) -> str:
    """Cut a text to a size that can be shown, and replace what no file can hold."""
    return text[:MESSAGE_LIMIT].encode("utf-8", errors="replace").decode("utf-8")
