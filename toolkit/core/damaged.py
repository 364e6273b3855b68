"""Set a damaged file aside under another name; never drop it silently."""

from __future__ import annotations

import itertools
from pathlib import Path


def set_aside(path: Path) -> Path:
    """Rename a damaged file to ``<name>.damaged-<n>`` with the first free n; return the new path.

    Raises:
        OSError: The folder cannot be written to.
    """
    for number in itertools.count(1):
        target = path.with_name(f"{path.name}.damaged-{number}")
        if not target.exists():
            return path.rename(target)
    raise AssertionError  # the count has no end
