"""The process of one task: it reads the task, in JSON, from its standard input.

It writes lines of JSON: news while it runs, and the result last. Its parent may close its
standard input to end it: it then stops as Ctrl-C would, and leaves no process behind. So does the
death of the one who started it.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import signal
import sys
import threading
import time
from typing import IO

from rich.console import Console

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.row import ErrorReport
from harness.protocol.track import Track, load_track
from harness.runs.confirm import confirmed
from harness.runs.folders import SHEET_FILE
from harness.runs.many.plan import ground_of, key_of
from harness.runs.many.tasks import Task, TaskResult
from harness.runs.pipeline import Options, run_contribution
from harness.sandbox.choose import choose
from harness.sandbox.layers import WANTED
from harness.sandbox.trust import require_trust
from toolkit.core.command_line import INTERRUPTED
from toolkit.core.errors import EnvironmentFault, HubError
from toolkit.core.progress import NothingToClose

NEWS_S = 0.5  # not more often than this


class LineProgress(NothingToClose):
    """Tells what the pipeline does as lines of JSON."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out
        self._told = 0.0

    def update(self, label: str, done: float, text: str) -> None:
        """Tell how far one of the run's processes has come."""
        if time.monotonic() - self._told >= NEWS_S:
            self._told = time.monotonic()
            tell(self._out, "news", {"label": label, "done": done, "text": text})

    def finish(self, label: str, *, ok: bool) -> None:
        """Tell that one of the run's processes has ended."""
        tell(self._out, "news", {"label": label, "done": 1.0, "text": "done" if ok else "failed"})


def tell(out: IO[str], kind: str, value: object) -> None:
    """Write one line."""
    out.write(json.dumps({kind: value}) + "\n")
    out.flush()


def execute(task: Task, progress: LineProgress) -> TaskResult:
    """Carry out one task; whatever goes wrong is part of the result."""
    start = time.monotonic()
    try:
        contribution, track = registry.load_any(task.contribution), load_track(task.track)
        require_same_key(task, contribution, track)
        layer = choose(task.isolation)
        notice = require_trust(contribution, layer, trusted=task.trust)
        if notice:
            Console(stderr=True).print(notice, markup=False, soft_wrap=True)
        os.environ[WANTED] = layer  # every child of this run, the scorer too
        options = Options(
            seeds=task.seeds,
            device=task.device,
            fresh=task.fresh,
            skip_gate=task.skip_gate,
            thorough=task.thorough,
            jobs=1,  # other runs fill the other cores
        )
        finished = run_contribution(contribution, track, options, progress)
        if task.thorough:
            finished = confirmed(finished, contribution, track, options, progress)
    except HubError as error:
        return TaskResult(
            contribution=task.contribution,
            track=task.track,
            status="error",
            seconds=time.monotonic() - start,
            error=ErrorReport(
                kind=type(error).__name__, what=error.what, where=error.where, fix=error.fix
            ),
        )
    sheet = finished.folder / SHEET_FILE
    return TaskResult(
        contribution=task.contribution,
        track=task.track,
        status=finished.row.status,
        seconds=time.monotonic() - start,
        reused=finished.reused,
        row=finished.row,
        error=finished.row.error,
        folder=finished.folder.relative_to(paths.RUNS).as_posix(),
        sheet=base64.b64encode(sheet.read_bytes()) if sheet.is_file() else None,
    )


def require_same_key(task: Task, contribution: Contribution, track: Track) -> None:
    """Make sure that this machine would compute what was planned.

    Raises:
        EnvironmentFault: Its code, pictures, base, packages or Python differ from the planner's.
    """
    if task.key is None:
        return
    seeds = task.seeds or track.file.seeds[: None if task.thorough else track.file.quick_seeds]
    key = key_of(ground_of(track, task.device), contribution, seeds)
    if key != task.key:
        raise EnvironmentFault(
            f"This machine would compute something else: its run key is {key[:12]}, the plan's "
            f"{task.key[:12]}.",
            where=f"{platform.node()}:{paths.ROOT}",
            fix="Give it the same commit, packages (requirements.txt) and Python as the planner.",
        )


def stop_with_parent() -> None:
    """Interrupt this process as soon as its parent closes its end, or dies."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Read a task, carry it out, write the result."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    out, sys.stdout = sys.stdout, sys.stderr  # lines of JSON are all that goes out there
    task = Task.model_validate_json(sys.stdin.readline())
    threading.Thread(target=stop_with_parent, daemon=True).start()
    try:
        result = execute(task, LineProgress(out))
        tell(out, "result", result.model_dump(mode="json"))
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    os._exit(0)  # everything is on disk, and the thread still reads


if __name__ == "__main__":
    main()
