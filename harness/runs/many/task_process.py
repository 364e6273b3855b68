"""The process of one task: it reads the task, in JSON, from its standard input.

It writes lines of JSON: news while it runs, and the result last. Its parent may close its
standard input to end it: it then stops as Ctrl-C would, and leaves no process behind. So does the
death of the one who started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import IO

from harness.runs.graph.pool import Pool
from harness.runs.many.task_course import task_course
from harness.runs.many.tasks import Task
from harness.sandbox.choose import choose
from harness.sandbox.layers import WANTED
from toolkit.core.command_line import INTERRUPTED
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
        began = time.monotonic()
        os.environ[WANTED] = choose(task.isolation)  # every child of this run, the scorer too
        progress = LineProgress(out)
        # Other runs fill the other cores.
        result = Pool(1).run(task_course(task, progress), progress)
        result = result.model_copy(update={"seconds": time.monotonic() - began})
        tell(out, "result", result.model_dump(mode="json"))
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    os._exit(0)  # everything is on disk, and the thread still reads


if __name__ == "__main__":
    main()
