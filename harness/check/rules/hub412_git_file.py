"""HUB412: files by which git, and the site that hosts it, change what others see."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.file_kinds import steers_git
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB412"
TITLE = "A file gives orders to git"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at the names of files and folders: .git*, but .gitkeep, and .mailmap."""
    for entry in folder.entries:
        if steers_git(entry.name):
            yield Problem(
                f"{entry.name!r} is read by git, which would treat files of this folder otherwise.",
                "Remove it. What git shall not see on your machine goes into .git/info/exclude.",
                entry.path,
            )
