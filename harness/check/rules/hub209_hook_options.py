"""HUB209: options of @hookimpl that would change who runs, and when."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB209"
TITLE = "@hookimpl has an option"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Refuse every option: wrapper, hookwrapper, tryfirst, trylast, optionalhook, specname."""
    for marked in folder.hooks.marked:
        for keyword in marked.call.keywords if marked.call else ():
            option = keyword.arg or "**options"
            yield Problem(
                f"@hookimpl({option}=...) of {marked.function.name!r} is not allowed: it could "
                "replace or hide other code.",
                "Write @hookimpl alone.",
                marked.module.path,
                keyword.value.lineno,
            )
