"""What a Ray worker does: unpack what the run needs, run it in a process of its own, pack.

Only texts and bytes go in and out. The contribution's code runs in the sandbox below the process
that is started here, so Ray's worker never imports it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile

from harness import paths
from harness.contributions import registry
from harness.protocol.row import ErrorReport
from harness.protocol.track import load_track
from harness.runs.many.bundle import pack, unpack
from harness.runs.many.plan import folder_of, ground_of
from harness.runs.many.tasks import Task, TaskResult

PATIENCE_S = 20.0
TAIL_LINES = 20


def run_there(text: str, bundle: bytes | None) -> tuple[str, bytes | None]:
    """Carry out one task on this node.

    Args:
        text: The Task, as JSON.
        bundle: The runs of the reference that it is compared with; None for the reference itself.

    Returns:
        The TaskResult as JSON; and a bundle, when it is the reference's and others will need it.
    """
    task = Task.model_validate_json(text)
    if bundle is not None:
        unpack(bundle)
    answer = run_process(task)
    result = TaskResult.model_validate_json(answer)
    if not task.is_reference or result.status != "ok":
        return answer, None
    track = load_track(task.track)
    ground = ground_of(track, task.device)
    run = folder_of(ground, registry.load_reference())
    gates = sorted((paths.RUNS / "gate" / task.contribution).glob("*"))
    return answer, pack([run, *gates])


def run_process(task: Task) -> str:
    """Run a task in its process and return the result, as JSON; its death is a result as well."""
    # Not a pipe: one that nobody reads fills up and stops its writer.
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.runs.many.task_process"],
            cwd=paths.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            found = talk(process, task)
        finally:
            end(process)
        if found is not None:
            return json.dumps(found)
        log.seek(0)
        tail = log.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
    error = ErrorReport(
        kind="HubError",
        what=f"Its process ended with exit code {process.returncode} and no result.",
        log_tail=tuple(tail),
    )
    return TaskResult(
        contribution=task.contribution, track=task.track, status="error", error=error
    ).model_dump_json()


def talk(process: subprocess.Popen[str], task: Task) -> object | None:
    """Hand a task to its process and return what it says last, or None when that is no result.

    Its standard input stays open: the end of that, also by the death of this worker, ends the run.
    """
    if process.stdin is None or process.stdout is None:
        return None
    with contextlib.suppress(BrokenPipeError):  # it died at once: its end tells
        process.stdin.write(task.model_dump_json() + "\n")
        process.stdin.flush()
    last_line = ""
    for line in process.stdout:
        last_line = line
    process.wait()
    try:
        result: object = json.loads(last_line)["result"]
    except (ValueError, KeyError, TypeError):
        return None  # killed while it wrote, or before
    return result


def end(process: subprocess.Popen[str]) -> None:
    """End a task's process: ask first, so that it ends its own children."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE_S)
    if process.poll() is None:
        process.kill()
        process.wait()
