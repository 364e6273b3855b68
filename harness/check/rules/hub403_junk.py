"""HUB403: files that desktops and archivers leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.check.folder import Folder, is_junk
from harness.check.problem import Problem, Severity

ID = "HUB403"
TITLE = "A desktop left a file behind"
SEVERITY: Severity = "error"
FIXABLE = True


def check(folder: Folder) -> Iterator[Problem]:
    """Look at the names: .DS_Store, Thumbs.db, desktop.ini, ._*, __MACOSX."""
    for entry in folder.files:
        if is_junk(entry.path):
            yield Problem(
                f"{entry.name!r} was made by the desktop and is no part of the contribution.",
                "Delete it; `check --fix` does.",
                entry.path,
            )


def mend(file: Path) -> None:
    """Delete the file, and __MACOSX folders that it leaves empty."""
    if file.is_symlink() or not file.is_file() or not is_junk(file.as_posix()):
        return
    file.unlink()
    for parent in file.parents:
        if "__MACOSX" not in parent.parts or any(parent.iterdir()):
            break
        parent.rmdir()
