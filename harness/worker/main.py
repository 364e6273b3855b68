"""The worker: runs one job with a contribution's hooks and writes one answer."""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from harness.contributions.record import Contribution
from harness.errors import ContributionError, WorkerDisk
from harness.protocol.row import ErrorReport
from harness.sandbox.events import EventWriter
from harness.sandbox.files import ANSWER_FILE, EVENTS_FILE, TRACE_MARK
from harness.sandbox.report import report, sendable
from harness.worker.jobs import Answer, AnyJob, FinetuneJob, Job, RemakeJob, TrainJob
from toolkit.core import atomic
from toolkit.core.errors import HubError, describe

AnyJobT = TypeVar("AnyJobT", bound=Job)


def main(job_file: Path) -> None:
    """Read a job from a file, run it, and write ``answer.json`` beside it."""
    job: AnyJob = TypeAdapter(AnyJob).validate_json(job_file.read_bytes())
    serve(job, run)


def serve(job: AnyJobT, run: Callable[[AnyJobT, EventWriter], Answer]) -> None:
    """Run a job and write its answer; a fault is an answer too."""
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
    from harness.worker.hooks import load_hooks

    if not (isinstance(job, TrainJob) and job.scored):  # that one's meter runs from the import on
        load_hooks(job.contribution, job.reference)  # a fault at import comes before torch loads
    load_torch(job, events)
    if isinstance(job, RemakeJob):
        from harness.worker.remaking import run_remake_job

        return run_remake_job(job, events)
    if isinstance(job, TrainJob):
        from harness.worker.training import run_train_job

        return run_train_job(job, events)
    if isinstance(job, FinetuneJob):
        from harness.worker.finetuning import run_finetune_job

        return run_finetune_job(job, events)
    from harness.worker.generating import run_generate_job

    return run_generate_job(job, events)


def load_torch(job: Job, events: EventWriter) -> None:
    """Import torch and set it up as every job needs it."""
    events.phase("loading torch", 0.01)
    import torch

    torch.set_num_threads(job.threads)
    torch.backends.cudnn.allow_tf32 = False  # probing reads weights to float32 precision


def unexpected(error: Exception, contribution: Contribution) -> HubError:
    """Describe a fault that no check foresaw, pointing into the contribution where possible."""
    from harness.worker.hooks import innermost

    return ContributionError(
        describe(error),
        where=innermost(error, *contribution.folders) or contribution.path,
        fix="log.txt has the whole traceback.",
    )


def fault(told: HubError, raised: Exception, contribution: Contribution) -> ErrorReport:
    """Describe a fault with the lines of the contribution's own files only.

    The log keeps the whole traceback, after a line by which the parent knows where it begins.
    """
    from harness.worker.hooks import own_trace

    with contextlib.suppress(OSError, ValueError):  # it may have closed what it prints to
        sys.stdout.flush()  # or what it printed comes after the traceback
    print(TRACE_MARK, file=sys.stderr, flush=True)
    traceback.print_exc()
    lines = tuple(sendable(line) for line in own_trace(raised, contribution))
    update: dict[str, object] = {"log_tail": lines}
    if found_no_room(raised):
        update["kind"] = WorkerDisk.__name__  # the hub looks whose room it was
    return report(told).model_copy(update=update)


def found_no_room(error: BaseException | None) -> bool:
    """Tell whether an exception, or one that it came from, says that a disk is full."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
