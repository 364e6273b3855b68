"""Small helpers that know nothing of diffusion: seeds and files."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch


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
