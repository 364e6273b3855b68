"""Small helpers that know nothing of diffusion: seeds, files, progress, picture sheets."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch, so that the same command gives the same result."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path and move it to ``path`` when the block succeeds.

    However the program ends, ``path`` is either the whole old file or the whole new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays the last part of the name: Pillow chooses the format by it.
    handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp makes private files
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class ProgressBar:
    """A line on stderr with step, loss and time left; off a terminal, one line per tenth."""

    def __init__(self, total_steps: int, width: int = 30) -> None:
        self.total_steps = total_steps
        self.width = width
        self.started_at = time.monotonic()

    def step(self, step: int, loss: float) -> None:
        """Show that optimiser step ``step`` (from 1) is done."""
        live = sys.stderr.isatty()
        if not live and step % max(1, self.total_steps // 10) and step != self.total_steps:
            return
        passed_s = time.monotonic() - self.started_at
        left_s = passed_s / step * (self.total_steps - step)
        filled = self.width * step // self.total_steps
        bar = "#" * filled + "-" * (self.width - filled)
        end = "\n" if not live or step == self.total_steps else ""
        start = "\r" if live else ""
        text = f"{bar} {step}/{self.total_steps}  loss {loss:.4f}  {left_s:4.0f} s left"
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)


def picture_grid(rows: Sequence[Sequence[Image.Image]], gap_px: int = 4) -> Image.Image:
    """Return one picture with the given rows of equally large pictures on white."""
    width, height = rows[0][0].size
    columns = max(len(row) for row in rows)
    size = (columns * (width + gap_px) - gap_px, len(rows) * (height + gap_px) - gap_px)
    sheet = Image.new("RGB", size, "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet.paste(picture, (x * (width + gap_px), y * (height + gap_px)))
    return sheet
