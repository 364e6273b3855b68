"""The parent's side: start child processes, follow them, and never leave one behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic

import psutil

from harness import paths
from harness.sandbox import books, layers, task_limit
from harness.sandbox.allowance import allowance
from harness.sandbox.choose import choose
from harness.sandbox.environment import child_environment
from harness.sandbox.events import EventReader
from harness.sandbox.files import EVENTS_FILE, JOB_FILE, LOG_FILE
from harness.sandbox.limits import Limits, Usage, exceeded
from harness.sandbox.log_pump import LogPump
from harness.sandbox.meter import READY, Meter
from harness.sandbox.outcome import A, Ending, Outcome
from harness.sandbox.resource_use import write_spent
from harness.sandbox.tidy import remove_tree, sweep
from harness.sandbox.warm import Process, Program, fork
from harness.sandbox.watch import Watch
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.core.progress import Progress
from toolkit.core.record import Record

CHILD_START = paths.ROOT / "harness" / "sandbox" / "child_start.py"
POLL_S = 0.1
WATCH_S = 0.25
PATIENCE_S = 5.0
SHORT_S = 0.005

# No user site-packages, no current folder on the path, no bytecode written; and bytecode that lies
# about its source (the check and the content hash look at sources only) is compiled anew.
FLAGS = ("-s", "-P", "-B", "--check-hash-based-pycs", "always")


class Child(Generic[A]):
    """One child process in the strongest isolation there is, with its own folder and limits.

    Args:
        label: What the user sees.
        module: The child program, one of those that child_start.py knows.
        job: What it is asked; written to ``job.json``. Paths in it are what the child may read.
        out: Its folder, emptied first; the only place where it may write.
        timeout_s: Wall time after which it is ended, seconds.
        read_answer: Parses ``answer.json``, raising ValueError when it is not what was asked for.
        limits: What it may use; by default what suits a job of that wall time.
        isolation: A layer by name; by default the strongest that works here.
    """

    def __init__(
        self,
        label: str,
        module: str,
        job: Record,
        out: Path,
        timeout_s: float,
        read_answer: Callable[[bytes], A],
        limits: Limits | None = None,
        isolation: str | None = None,
    ) -> None:
        self.label = label
        self.out = out
        self.outcome: Outcome[A] | None = None
        self.layer = choose(isolation)
        self._read_answer = read_answer
        self._ended = False
        if out.exists() or out.is_symlink():
            remove_tree(out)  # What an interrupted run left must not pass for this one's.
        (out / "tmp").mkdir(parents=True)
        atomic.write_text(out / JOB_FILE, job.model_dump_json(indent=1))
        self._events = EventReader(out / EVENTS_FILE)
        threads = int(getattr(job, "threads", 1))
        self._limits = limits or allowance(job, timeout_s)
        words = [module, str(out / JOB_FILE)]
        program = [sys.executable, *FLAGS, str(CHILD_START), *words]
        start = layers.prepare(self.layer, job, out, self._limits, program)
        log = (out / LOG_FILE).open("xb", buffering=0)
        environment = child_environment(out, str(threads))
        settings = str(out / layers.SETTINGS_FILE)
        forked = Program([*words, settings], environment, out / "tmp", start.groups)
        self._process = fork(self.layer, job, forked, FLAGS) or subprocess.Popen(  # noqa: S603
            start.command,
            stdin=subprocess.PIPE if start.holds_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            cwd=out / "tmp",
            env=environment,
            start_new_session=True,
        )
        if self._process.stdout is None:
            raise HubError("A child without an output cannot be followed.")  # it has a PIPE
        self._log = LogPump(self._process.stdout, out / LOG_FILE, log)
        self._books = start.books
        self._watch = Watch(self._process.pid, out, self._limits.memory_bytes, start.books)
        self._told: books.Ended | None = None
        self._looked = 0.0
        self.meter = Meter(out)

    def poll(self, progress: Progress) -> bool:
        """Show news, enforce the limits, and tell whether the child is finished."""
        for phase, done in self._events.new():
            progress.update(self.label, done, phase)
            if phase == READY:  # it waits, and none of the contribution's code has run
                self._watch.note_worker(self._log.printed)
                self.meter.start(self._watch.peak.cpu_s)
        if self.outcome is not None:
            return True
        code = self._poll()
        usage = self._look()
        kind = exceeded(usage, self._limits) if usage else None
        if code is None and kind is None:
            return False
        self.kill()
        if self._log.printed > self._limits.output_bytes:
            code, kind = None, "output"  # even if it has ended since the last look, with an answer
        ending = Ending(self.label, self.out, self._limits, self._read_answer)
        self.outcome = ending.outcome(code, kind, usage or self._watch.peak)
        progress.finish(self.label, ok=self.outcome.error is None)
        return True

    def _poll(self) -> int | None:
        """Return the exit code, or None while it runs; keep what the kernel tells of the whole."""
        if isinstance(self._process, Process):
            self._process.poll()
            self._told = self._process.told
        elif self._process.returncode is None and hasattr(os, "wait4"):
            ended = books.wait_for(self._process.pid)
            if ended is not None:
                self._process.returncode, self._told = ended
        else:
            self._process.poll()
        return self._process.returncode

    def _wait(self, patience_s: float | None = None) -> None:
        """Wait until it has ended, or for so long."""
        until = None if patience_s is None else time.monotonic() + patience_s
        while self._poll() is None and (until is None or time.monotonic() < until):
            time.sleep(SHORT_S)

    def _look(self) -> Usage | None:
        """Measure what is used, not more often than every quarter of a second."""
        now = time.monotonic()
        if now - self._looked < WATCH_S:
            return None
        self._looked = now
        return self._watch.usage(self._log.printed)

    def kill(self) -> None:
        """End the child and everything it started, whatever state they are in, and tidy up.

        Once only: later the numbers of its processes may belong to other programs.
        """
        if self._ended:
            return
        self._ended = True
        known = self._watch.processes()
        if self._process.stdin:
            self._process.stdin.close()  # the guard ends what it started
            self._wait(PATIENCE_S)
        if self._poll() is None:
            if hasattr(os, "killpg"):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
        self._wait()
        for process in known[1:]:
            with contextlib.suppress(psutil.Error):
                process.kill()  # psutil makes sure that the number still means the same process
        psutil.wait_procs(known[1:], timeout=PATIENCE_S)
        self._tidy()

    def _tidy(self) -> None:
        """Leave plain files only, a log of bounded size, and what was used."""
        remove_tree(self.out / "tmp")
        odd = sweep(self.out)
        notes = [f"[hub] removed {name!r}: no plain file of its own\n" for name in odd[:20]]
        self._log.finish(PATIENCE_S, "".join(notes))
        self._watch.close(self._told)
        if self._books is not None:
            task_limit.remove(self._books)
        peak = self._watch.peak
        self.meter.stop(peak.cpu_s, self._watch.worker_s, peak.memory_bytes)
        write_spent(self.out, self.layer, self._watch.peak)

    def ended(self) -> Outcome[A]:
        """Return how the child ended.

        Raises:
            HubError: It was stopped because another one failed.
        """
        if self.outcome is None:
            raise HubError(f"{self.label} was stopped before it ended.")
        return self.outcome


def run_children(children: Sequence[Child[Any]], progress: Progress) -> None:
    """Follow children to their ends; each then has an ``outcome``, or None if it was cut short.

    The first failure ends the others, so that a newcomer's typing error is not followed by a minute
    of waiting. On any exception (Ctrl-C too) no process survives.
    """
    try:
        while True:
            finished = [child.poll(progress) for child in children]
            failed = any(child.outcome and child.outcome.error for child in children)
            if all(finished) or failed:
                return
            time.sleep(POLL_S)
    finally:
        for child in children:
            child.kill()
