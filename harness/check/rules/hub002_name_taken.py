"""HUB002: two names that differ only in case are one folder on Windows and macOS."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB002"
TITLE = "The name is taken, apart from upper and lower case"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare the name with its neighbours, ignoring case."""
    own = folder.name.casefold()
    for other in sorted(one for one in folder.neighbours if one.casefold() == own):
        if other != folder.name:
            yield Problem(
                f"{folder.name!r} and {other!r} differ only in upper and lower case.",
                "Choose another name: on Windows and macOS they would be one folder.",
            )
