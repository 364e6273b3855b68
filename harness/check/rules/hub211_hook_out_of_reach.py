"""HUB211: a marked method or inner function, which pluggy never looks at."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB211"
TITLE = "A marked function is inside a class or function"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Report marked functions that are not at the top level of their module."""
    for marked in folder.hooks.marked:
        if not marked.at_top:
            yield Problem(
                f"{marked.function.name!r} is marked inside a class, a function or "
                "`if __name__`; the hub only sees functions of the module itself.",
                "Move it to the left margin, as a plain function.",
                marked.module.path,
                marked.function.lineno,
            )
