"""Run the tries in a sandboxed child, and start another one when a try takes the child with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from harness import atomic, paths
from harness.matrix.jobs import OUTCOMES_FILE, Line, MatrixJob, Outcome, Try
from harness.progress import Progress
from harness.records import Contribution
from harness.sandbox import layers
from harness.sandbox.limits import default_limits
from harness.worker.environment import child_environment
from harness.worker.jobs import JOB_FILE, LOG_FILE
from harness.worker.process import FLAGS, POLL_S
from harness.worker.sweep import remove_tree

BOOT = paths.ROOT / "harness" / "matrix" / "boot.py"
BASE = paths.ROOT / "models" / "tiny-sd"
STARTING_S = 120.0
LABEL = "the matrix"

# Wide, tall and square, so that buckets give pictures of several sizes.
SHAPES = {"wide": (128, 64), "tall": (64, 128), "square": (96, 96)}


def run_tries(
    tries: Sequence[Try], reference: Contribution, folder: Path, progress: Progress
) -> Iterator[Outcome]:
    """Yield the outcome of each try as it becomes known.

    Args:
        tries: What to try.
        reference: Gives the hooks that nobody else gives.
        folder: For the child's files; emptied.
        progress: Is told how far it is.
    """
    pictures = folder / "pictures"
    draw_pictures(pictures)
    waiting = list(tries)
    starts = 0
    while waiting:
        starts += 1
        job = MatrixJob(
            tries=tuple(waiting),
            reference=reference,
            base_model=str(BASE),
            data_dir=pictures,
            out=folder / f"child-{starts}",
        )
        done, begun = 0, False
        with child(job) as process:
            ended = False
            while not ended:
                ended = process.poll() is not None
                lines = read_lines(job.out / OUTCOMES_FILE)
                finished = [line for line in lines if line.state is not None]
                begun = len(lines) > len(finished)
                for line in finished[done:]:
                    yield outcome(waiting[line.number], line)
                done = len(finished)
                share = (len(tries) - len(waiting) + done) / len(tries)
                progress.update(LABEL, share, f"{len(waiting) - done} pairs left")
                time.sleep(0 if ended else POLL_S)
        waiting = waiting[done:]
        if waiting:
            why = f"The process ended: {last_words(job.out / LOG_FILE)}"
            if not begun:
                why = f"{why} Nothing of it was tried."
            yield outcome(waiting[0], Line(number=0, state="fails", said=why))
            waiting = waiting[1:]
    progress.finish(LABEL, ok=True)


def outcome(one: Try, line: Line) -> Outcome:
    """Put a try and what the child said of it together."""
    return Outcome(cell=one.cell, state=line.state or "fails", said=line.said)


@contextlib.contextmanager
def child(job: MatrixJob) -> Iterator[subprocess.Popen[bytes]]:
    """Start the child in the strongest isolation that works here, and end it whatever happens."""
    if job.out.exists():
        remove_tree(job.out)
    (job.out / "tmp").mkdir(parents=True)
    atomic.write_text(job.out / JOB_FILE, job.model_dump_json())
    limits = default_limits(STARTING_S + job.limit_s * len(job.tries))
    program = [sys.executable, *FLAGS, str(BOOT), str(job.out / JOB_FILE)]
    start = layers.prepare(layers.choose(None), job, job.out, limits, program)
    with (job.out / LOG_FILE).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program, no shell
            start.command,
            stdin=subprocess.PIPE if start.holds_stdin else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=job.out / "tmp",
            env=child_environment(job.out, "1"),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def read_lines(path: Path) -> list[Line]:
    """Read what the child wrote so far; a line that is cut short is read next time."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    found = []
    for line in text[: text.rfind("\n") + 1].splitlines():
        with contextlib.suppress(ValueError):  # a stranger's print may have got in between
            found.append(Line.model_validate_json(line))
    return found


def last_words(log: Path) -> str:
    """Return the last line of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    return lines[-1][:300] if lines else "without a word."


def draw_pictures(folder: Path) -> None:
    """Write a few plain pictures of several shapes with their captions."""
    if folder.exists():
        remove_tree(folder)
    for number, (name, size) in enumerate(SHAPES.items()):
        for part in ("Images", "ImageCaptions"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (80 * number, 120, 200)).save(folder / "Images" / f"{name}.png")
        caption = folder / "ImageCaptions" / f"{name}.txt"
        caption.write_text(f"a sks robot, {name}\n", encoding="utf-8")
