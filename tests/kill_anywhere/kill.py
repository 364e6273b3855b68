"""A small hub of its own, runs in it that are killed, and what has to hold afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from harness import paths
from harness.results import read_row
from lora_files.header import read_header

NAME = "Example1"
PATIENCE_S = 900


def small_hub(root: Path) -> Path:
    """Copy the repository as a clone has it, with a base and a budget that take seconds."""
    from tests.src.support import build_pipeline

    skip = shutil.ignore_patterns(".git", ".nox", "runs", "__pycache__", ".*_cache", "venv")
    hub = root / "hub"
    shutil.copytree(paths.ROOT, hub, ignore=skip)
    build_pipeline().save_pretrained(hub / "models" / "random")
    track = hub / "tracks" / "robot" / "track.toml"
    text = re.sub(r"(?m)^steps = \d+", "steps = 2", track.read_text(encoding="utf-8"))
    text = re.sub(r'(?m)^base_model = ".*"', 'base_model = "models/random"', text)
    track.write_text(text, encoding="utf-8")
    return hub


def start(hub: Path) -> subprocess.Popen[bytes]:
    """Start a run."""
    command = [
        sys.executable,
        "-m",
        "harness",
        "contribution",
        NAME,
        "--seeds",
        "0,",
        "--skip-gate",
    ]
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.Popen(
        command, cwd=hub, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(hub: Path) -> tuple[float, dict[str, object]]:
    """Run to the end; return the seconds it took and the figures that must be the same each time.

    Raises:
        AssertionError: The run failed; its output is the message.
    """
    began = time.monotonic()
    run = start(hub)
    output, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, output.decode(errors="replace")
    (path,) = (hub / "runs" / "robot" / NAME).glob("*/row.json")
    row = read_row(path)
    figures = row.model_dump(include={"status", "base", "losses", "content_hash", "adapter_bytes"})
    figures["scores"] = [
        score.model_dump(exclude={"train_seconds"}, exclude_none=True) for score in row.scores
    ]
    return time.monotonic() - began, json.loads(json.dumps(without_times(figures)))


def without_times(value: object) -> object:
    """Leave out what a clock measured."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if "seconds" not in str(k)}
    if isinstance(value, (list, tuple)):
        return [without_times(item) for item in value]
    return value


def kill_after(hub: Path, seconds: float) -> str:
    """Kill a run after some seconds; return the last line that it had shown.

    Raises:
        AssertionError: A file is not whole, or a process was left.
    """
    run = start(hub)
    try:
        output, _ = run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        output, _ = run.communicate()
    no_process_is_left(hub)
    every_file_is_whole(hub / "runs")
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:100] if lines else "nothing yet"


def no_process_is_left(hub: Path) -> None:
    """Wait a moment for the workers to end with their parent."""
    deadline = time.monotonic() + 15
    while True:
        left = [
            process.info["cmdline"]
            for process in psutil.process_iter(["cmdline", "status"])
            if str(hub) in " ".join(process.info["cmdline"] or [])
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]
        if not left:
            return
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def every_file_is_whole(runs: Path) -> None:
    """Read every file that has a form; temporary ones do not count, nobody reads them."""
    for path in runs.rglob("*.json"):
        if not path.name.startswith("."):
            json.loads(path.read_bytes())
    for path in runs.rglob("*.safetensors"):
        if not path.name.startswith("."):
            read_header(path)
    for path in runs.rglob("row.json"):
        read_row(path)
