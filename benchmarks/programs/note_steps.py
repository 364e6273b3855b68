"""Run a program and note when each of its optimiser steps was done.

python benchmarks/programs/note_steps.py NOTE (-m MODULE | FILE) ARGUMENTS ...

A hook that torch has for every optimiser writes a line into NOTE: the hour (``time.time``) and the
processor's seconds so far. The program imports torch anyhow, so importing it first costs nothing.
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
    lines = note.open("w", encoding="ascii", buffering=1)  # a program may leave without goodbye

    def noted(*_: Any) -> None:
        lines.write(f"{time.time()!r} {time.process_time()!r}\n")

    optimizer.register_optimizer_step_post_hook(noted)
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
