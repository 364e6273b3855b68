"""Progress bars with time left, quiet enough for a log file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Sequence[Item], label: str, done: int = 0) -> Iterable[Item]:
    """Show a bar with rate and time left while going through `items`.

    Args:
        items: What to go through.
        label: Name of the stage.
        done: How many items an earlier run has finished already.
    """
    interval_s = 0.5 if sys.stderr.isatty() else 20.0
    bar: Iterable[Item] = tqdm(
        items,
        desc=label,
        initial=done,
        total=done + len(items),
        mininterval=interval_s,
        unit="step",
    )
    return bar
