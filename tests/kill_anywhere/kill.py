"""A small hub of its own, commands in it that are killed, and what has to hold afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.board.blocks import BEGIN
from harness.protocol.row_files import read_row
from tests.clone import small_clone
from toolkit.lora_files.header import read_header

NAME = "Example1"
PATIENCE_S = 900
# A budget that takes seconds; what is written is the same.
SMALL = {
    "steps": "2",
    "timesteps": "[100, 500, 900]",
    "num_inference_steps": "2",
}


@dataclass(frozen=True)
class Subject:
    """A command that is killed.

    Args:
        name: In a word.
        arguments: What is typed after ``python -m harness``.
        undo: Takes back what makes it end at once, and nothing else.
        result: What must be the same each time it has run to the end.
        whole: Raises AssertionError when a file is not whole; gets the undisturbed result.
    """

    name: str
    arguments: tuple[str, ...]
    undo: Callable[[Path], None]
    result: Callable[[Path], object]
    whole: Callable[[Path, object], None]


def small_hub(root: Path) -> Path:
    """Copy the repository as a clone has it, with a base and a budget that take seconds."""
    return small_clone(root, **SMALL)


def start(hub: Path, subject: Subject) -> subprocess.Popen[bytes]:
    """Start the command."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *subject.arguments],
        cwd=hub,
        env=kept,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(hub: Path, subject: Subject) -> tuple[float, object]:
    """Run to the end; return the seconds it took and what must be the same each time.

    Raises:
        AssertionError: The command failed; its output is the message.
    """
    subject.undo(hub)
    began = time.monotonic()
    run = start(hub, subject)
    output, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, output.decode(errors="replace")
    return time.monotonic() - began, subject.result(hub)


def kill_after(hub: Path, subject: Subject, seconds: float, undisturbed: object) -> str:
    """Kill the command after some seconds; return the last line that it had shown.

    Raises:
        AssertionError: A file is not whole, or a process was left.
    """
    subject.undo(hub)
    run = start(hub, subject)
    try:
        output, _ = run.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        output, _ = run.communicate()
    no_process_is_left(hub)
    subject.whole(hub, undisturbed)
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:100] if lines else "nothing yet"


def no_process_is_left(hub: Path) -> None:
    """Wait a moment for the workers to end with their parent."""
    deadline = time.monotonic() + 300
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


# --- a run ---------------------------------------------------------------------------------------


def forget_finished(hub: Path) -> None:
    """Remove the runs of the contribution that have a row; what killed ones left stays."""
    for row in (hub / "runs" / "robot" / NAME).glob("*/row.json"):
        shutil.rmtree(row.parent)


def figures(hub: Path) -> object:
    """Return what the row says, without what a clock measured."""
    (path,) = (hub / "runs" / "robot" / NAME).glob("*/row.json")
    row = read_row(path)
    found = row.model_dump(include={"status", "base", "losses", "content_hash", "adapter_bytes"})
    found["scores"] = [
        score.model_dump(exclude={"train_seconds"}, exclude_none=True) for score in row.scores
    ]
    return json.loads(json.dumps(without_times(found)))


def without_times(value: object) -> object:
    """Leave out what a clock measured."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if "seconds" not in str(k)}
    if isinstance(value, (list, tuple)):
        return [without_times(item) for item in value]
    return value


def every_file_is_whole(hub: Path, _undisturbed: object) -> None:
    """Read every file that has a form; temporary ones do not count, nobody reads them."""
    runs = hub / "runs"
    for path in runs.rglob("*.json"):
        if not path.name.startswith("."):
            json.loads(path.read_bytes())
    for path in runs.rglob("*.safetensors"):
        if not path.name.startswith("."):
            read_header(path)
    for path in runs.rglob("row.json"):
        read_row(path)


RUN = Subject(
    "run",
    ("contribution", NAME, "--seeds", "0,", "--skip-gate"),
    forget_finished,
    figures,
    every_file_is_whole,
)


# --- a build of the board ------------------------------------------------------------------------

OLD = "An older board.\n"


def older_board(hub: Path) -> None:
    """Give the tables something to be replaced; the site is built anew each time anyway."""
    (hub / "LEADERBOARD.md").write_text(OLD, encoding="utf-8")
    readme = hub / "README.md"
    text = readme.read_text(encoding="utf-8").replace(f"{BEGIN}\n{OLD}", f"{BEGIN}\n")
    readme.write_text(text.replace(f"{BEGIN}\n", f"{BEGIN}\n{OLD}"), encoding="utf-8")


def board(hub: Path) -> object:
    """Return every file of the site, and the tables, by name."""
    site = hub / "runs" / "site"
    files = [path for path in sorted(site.rglob("*")) if path.is_file()]
    tables = [hub / "LEADERBOARD.md", hub / "README.md", *sorted(hub.glob("CONTRIBUTIONS/*/*.md"))]
    left = [path.name for path in (hub / "runs").glob(".site-*")]
    return {path.relative_to(hub).as_posix(): path.read_bytes() for path in (*files, *tables)} | {
        "left by killed builds": repr(left).encode()
    }


def the_board_is_old_or_new(hub: Path, undisturbed: object) -> None:
    """The site is as it should be, or not there; each table is as it was or as it should be."""
    assert isinstance(undisturbed, dict)
    found = board(hub)
    assert isinstance(found, dict)
    names = [name for name in undisturbed if name.startswith("runs/site/")]
    there = [name for name in found if name.startswith("runs/site/")]
    assert there in ([], names)
    for name in there:
        assert found[name] == undisturbed[name], name
    for name in ("LEADERBOARD.md", "README.md"):
        assert found[name] == undisturbed[name] or OLD.encode() in found[name], name


BOARD = Subject("board", ("leaderboard",), older_board, board, the_board_is_old_or_new)

SUBJECTS = {subject.name: subject for subject in (RUN, BOARD)}
