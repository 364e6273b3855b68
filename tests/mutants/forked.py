"""A gate's worker as a fork of this process, with everything imported already.

For the matrix and the tests, where a hundred contributions would import torch a hundred times. Not
for strangers' code: there is no sandbox around a fork.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from harness.errors import WorkerCrash
from harness.gate.job import GateJob
from harness.gate.worker import run_gate_job
from harness.protocol.row import ErrorReport
from harness.sandbox.events import EventWriter
from harness.sandbox.exits import describe_exit
from harness.sandbox.files import LOG_FILE
from harness.sandbox.outcome import Outcome
from harness.worker.jobs import Answer
from toolkit.core.progress import Progress


class ForkedChild:
    """Runs one contract job in a fork; looks like ``harness.sandbox.child.Child``.

    Args:
        job: What it is asked.
        out: Its folder.
    """

    def __init__(self, job: GateJob, out: Path) -> None:
        self.out = out
        self._code: int | None = None
        (out / "tmp").mkdir(parents=True, exist_ok=True)
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            self._run(job)

    def _run(self, job: GateJob) -> None:
        """Be the child: never returns."""
        code = 1
        try:
            log = os.open(self.out / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(self.out / "tmp")
            with EventWriter(self.out / "events.jsonl") as events:
                run_gate_job(job, events)
            code = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def poll(self, _progress: Progress) -> bool:
        """Tell whether the child has ended."""
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is not None

    def ended(self) -> Outcome[Answer]:
        """Return how the child ended."""
        if self._code == 0:
            return Outcome(Answer(), None, "ok")
        what = f"the process {describe_exit(self._code or 0)} without an answer."
        report = ErrorReport(kind=WorkerCrash.__name__, what=what)
        return Outcome(None, report, "crashed")

    def kill(self) -> None:
        """End the child."""
        if self._code is None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._code = -signal.SIGKILL


def fork(_label: str, job: GateJob, out: Path) -> ForkedChild:
    """Start a fork; see ``GateRun.launch``."""
    return ForkedChild(job, out)
