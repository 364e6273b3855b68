"""A child as a fork of this process, which has imported everything already.

A worker's start takes five processor seconds, and most tests of workers are not about the start,
nor about the sandbox: tests/harness/test_main_job.py, tests/harness/sandbox and tests/hostile are.
Only for contributions of the tests' own: nothing confines a fork.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox.allowance import allowance
from harness.sandbox.child import Child
from harness.sandbox.files import JOB_FILE, LOG_FILE
from harness.sandbox.limits import Limits, Usage
from harness.sandbox.meter import Meter
from harness.sandbox.outcome import Ending
from harness.sandbox.tidy import remove_tree
from toolkit.core import atomic
from toolkit.core.progress import Progress
from toolkit.core.record import Record


class ForkedChild(Child[Any]):
    """Runs the child program on the same job in the same folder; its answer is read the same way.

    It has no limits, no layer and no clock. Arguments: as ``Child``.
    """

    def __init__(
        self,
        label: str,
        module: str,
        job: Record,
        out: Path,
        timeout_s: float,
        read_answer: Callable[[bytes], Any],
        limits: Limits | None = None,
    ) -> None:
        self.label, self.out, self.outcome = label, out, None
        self.meter = Meter(out)
        self._ending = Ending(label, out, allowance(job, timeout_s), read_answer)
        if out.exists():
            remove_tree(out)
        (out / "tmp").mkdir(parents=True)
        atomic.write_text(out / JOB_FILE, job.model_dump_json(indent=1))
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            self._be_it(module)

    def _be_it(self, module: str) -> None:
        """Run the child program; never returns."""
        code = 1
        try:
            log = os.open(self.out / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stdout, sys.stderr = open(1, "w"), open(2, "w")  # noqa: SIM115  # pytest has ours
            os.chdir(self.out / "tmp")
            warnings.resetwarnings()  # pytest makes errors of them
            importlib.import_module(module).main(self.out / JOB_FILE)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def poll(self, progress: Progress) -> bool:
        """Tell whether the fork has ended, and keep how."""
        if self.outcome is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid == 0:
                return False
            code = os.waitstatus_to_exitcode(status)
            self.outcome = self._ending.outcome(code, None, Usage())
            remove_tree(self.out / "tmp")
        return True

    def ended(self) -> Any:
        """Return how the fork ended."""
        assert self.outcome is not None
        return self.outcome

    def kill(self) -> None:
        """End the fork."""
        if self.outcome is None and self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0


def fork_children(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Let these modules start forks instead of processes, where the system can fork."""
    if hasattr(os, "fork"):
        import torch

        torch.set_num_threads(1)  # a thread pool does not survive a fork
        for module in modules:
            monkeypatch.setattr(f"{module}.Child", ForkedChild)
