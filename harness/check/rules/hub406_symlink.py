"""HUB406: links and devices lead out of the folder."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB406"
TITLE = "A symbolic link or special file"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at the kinds of all entries, and at the folder itself."""
    if folder.path.is_symlink():
        yield Problem("The folder is a symbolic link.", "Put a real folder in its place.")
    for entry in folder.entries:
        if entry.kind == "symlink":
            yield Problem(
                f"{entry.name!r} is a symbolic link; it may lead anywhere, and breaks on Windows.",
                "Put the file itself in its place.",
                entry.path,
            )
        elif entry.kind == "other":
            yield Problem(
                f"{entry.name!r} is neither a file nor a folder (a pipe, socket or device).",
                "Remove it.",
                entry.path,
            )
