"""A run as a person starts it: a process of its own, on a base of a few kilobytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def command(data_dir: Path, base: Path, out: Path, *options: str) -> list[str]:
    """The command line of a run that draws as little as possible."""
    fixed = ["--data", str(data_dir), "--base", str(base), "--out", str(out)]
    drawn = ["--prompt", "a", "--num-inference-steps", "1", "--rank", "2", "--batch-size", "2"]
    return [sys.executable, "-m", "src.main", *fixed, *drawn, *options]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=240
    )
