"""After a child has ended: nothing but plain files and folders stays in its folder.

A link, pipe or socket left under a name that the hub reads would make it read something else (a
private file, published as a log) or wait for ever.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from pathlib import Path

# The hub's own files lie at most two folders down.
DEEPEST = 8

_numbers = itertools.count()


def sweep(folder: Path) -> list[str]:
    """Remove everything that is no plain file or folder, and writes that were cut short.

    Returns:
        The names of what was removed, without the hub's own temporary files.
    """
    removed = []
    waiting = [(folder, 0)]
    while waiting:
        here, depth = waiting.pop()
        with contextlib.suppress(OSError):
            here.chmod(stat.S_IMODE(here.lstat().st_mode) | stat.S_IRWXU)
        try:
            entries = list(os.scandir(here))
        except OSError:
            continue
        for entry in entries:
            told = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(told.st_mode):
                if depth < DEEPEST:
                    waiting.append((Path(entry.path), depth + 1))
                else:
                    remove_tree(Path(entry.path))
                    removed.append(os.path.relpath(entry.path, folder))
                continue
            cut_short = entry.name.startswith(".") and entry.name.endswith(".tmp")
            plain = stat.S_ISREG(told.st_mode) and told.st_nlink <= 1
            if cut_short or not plain:
                Path(entry.path).unlink(missing_ok=True)
            if not plain:
                removed.append(os.path.relpath(entry.path, folder))
    return sorted(removed)


def remove_tree(folder: Path) -> None:
    """Remove a folder that a stranger filled: folders nested too deep for a path, or closed.

    What lies two levels down is moved up before its folder goes, so no path grows long.

    Raises:
        OSError: Something cannot be removed.
    """
    if not folder.is_symlink() and folder.is_dir():
        while entries := _open(folder):
            for entry in entries:
                _remove_one(folder, entry)
        folder.rmdir()
    else:
        folder.unlink(missing_ok=True)


def _open(folder: Path) -> list[os.DirEntry[str]]:
    folder.chmod(stat.S_IRWXU)
    with os.scandir(folder) as entries:
        return list(entries)


def _remove_one(folder: Path, entry: os.DirEntry[str]) -> None:
    path = Path(entry.path)
    if not entry.is_dir(follow_symlinks=False):
        path.unlink()
        return
    for inner in _open(path):
        if inner.is_dir(follow_symlinks=False):
            Path(inner.path).chmod(stat.S_IRWXU)  # or it cannot be moved
            Path(inner.path).rename(folder / f".{next(_numbers)}.going")
        else:
            Path(inner.path).unlink()
    path.rmdir()
