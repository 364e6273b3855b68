"""Run a program and note when its first optimiser step was done.

python benchmarks/programs/first_step.py NOTE (-m MODULE | FILE) ARGUMENTS ...

A hook that torch has for every optimiser writes the hour (``time.time``) into NOTE. The program
imports torch anyhow, so importing it first costs nothing more.
"""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path
from typing import Any

from torch.optim import optimizer


def main(note: Path, program: list[str]) -> None:
    """Hook in, then become the program."""

    def first(*_: Any) -> None:
        handle.remove()
        note.write_text(repr(time.time()), encoding="ascii")

    handle = optimizer.register_optimizer_step_post_hook(first)
    if program[0] == "-m":
        sys.path[0] = ""
        sys.argv = program[1:]
        runpy.run_module(program[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(program[0]).parent)
        sys.argv = program
        runpy.run_path(program[0], run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
