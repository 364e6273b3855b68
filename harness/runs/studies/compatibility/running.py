"""Run the tries in a sandboxed child, and start another one when a try takes the child with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from harness import paths
from harness.contributions.record import Contribution
from harness.runs.studies.compatibility.jobs import OUTCOMES_FILE, Line, MatrixJob, Outcome, Try
from harness.sandbox.child import POLL_S, Child
from harness.sandbox.events import LineReader, clean_json
from harness.sandbox.tidy import remove_tree
from harness.worker.jobs import Answer
from toolkit.core.progress import NothingToClose, Progress

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
        reference: Supplies the hooks that the others do not.
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
        timeout_s = STARTING_S + job.limit_s * len(waiting)
        child = Child(
            LABEL,
            "harness.runs.studies.compatibility.child",
            job,
            job.out,
            timeout_s,
            Answer.model_validate_json,
        )
        lines, done, begun, ended = LineReader(job.out / OUTCOMES_FILE), 0, False, False
        try:
            while not ended:
                ended = child.poll(Unheard())
                for line in read_lines(lines):
                    # One after the other, each begun and then ended: anything else is not ours.
                    if line.number != done or (line.state is not None) != begun:
                        continue
                    begun = line.state is None
                    if not begun:
                        yield outcome(waiting[done], line)
                        done += 1
                    if done == len(waiting):
                        break
                share = (len(tries) - len(waiting) + done) / len(tries)
                progress.update(LABEL, share, f"{len(waiting) - done} pairs left")
                time.sleep(0 if ended else POLL_S)
        finally:
            child.kill()
        waiting = waiting[done:]
        if waiting:
            why = f"The process ended: {last_words(child)}"
            if not begun:
                why = f"{why} Nothing of it was tried."
            yield outcome(waiting[0], Line(number=0, state="fails", reason=why))
            waiting = waiting[1:]
    progress.finish(LABEL, ok=True)


class Unheard(NothingToClose):
    """Hears the child's own progress; what is shown is that of the pairs."""

    def update(self, label: str, done: float, text: str) -> None:
        """Keep quiet."""

    def finish(self, label: str, *, ok: bool) -> None:
        """Keep quiet."""


def outcome(one: Try, line: Line) -> Outcome:
    """Put a try and what the child said of it together."""
    return Outcome(cell=one.cell, state=line.state or "fails", reason=line.reason)


def read_lines(reader: LineReader) -> Iterator[Line]:
    """Yield what the child wrote since the last look, without what is no line of ours."""
    for text in reader.lines():
        with contextlib.suppress(ValueError):  # a stranger's print may have got in between
            yield Line.model_validate_json(clean_json(text))


def last_words(child: Child[Answer]) -> str:
    """Return the last line of what an ended child printed, or how it ended."""
    error = child.ended().error
    if error is None:
        return "without a word."
    return (error.log_tail[-1] if error.log_tail else error.what)[:300]


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
