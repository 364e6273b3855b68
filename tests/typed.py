"""Commands of a hub, typed one after the other into one process.

The first command that needs a child starts the nursery (harness/sandbox/warm.py), which takes five
processor seconds to import torch, and ends with its process: typed here, all commands share one.
What the start of a command does is tested by others: tests/harness/commands/test_cli.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

# Answers go to where standard output was; whatever else writes to the descriptor goes to errors.
PROGRAM = """
import contextlib, io, json, os, sys
from harness.commands.cli import main
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
for line in sys.stdin:
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            code = main(json.loads(line))
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, out.getvalue(), errors.getvalue()]), file=answers, flush=True)
"""


class Typist:
    """One process that runs commands, each as ``python -m harness`` would.

    Args:
        hub: The repository, or a clone of it.
        environment: Variables of the process, beside those of the tests.
    """

    def __init__(self, hub: Path, **environment: str) -> None:
        self.hub = hub
        inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=hub,
            env={**inherited, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # a command that was cut short lies in it
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end.

        Args:
            words: What is typed after ``python -m harness``.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the process ended during: {' '.join(words)}"
        code, out, errors = json.loads(answer)
        return subprocess.CompletedProcess(words, code, out, errors)
