"""HUB205: a marked function whose name is no hook."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import MAIN, Folder
from harness.check.problem import Problem, Severity
from toolkit.core.settings import HOOK_NAMES
from toolkit.core.text import suggestion

ID = "HUB205"
TITLE = "A marked function is not one of the four hooks"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare the names of marked functions with the hooks' names."""
    shown_as: dict[int, set[str]] = {}
    for name, marked in folder.hooks.shown.items():
        shown_as.setdefault(id(marked.function), set()).add(name)
    for marked in folder.hooks.marked:
        names = shown_as.get(id(marked.function), {marked.function.name})
        if marked.at_top and marked.function.name not in HOOK_NAMES and not names & {*HOOK_NAMES}:
            name = marked.function.name
            yield Problem(
                f"{name!r} is marked with @hookimpl, but there is no hook of that name.",
                suggestion(name, HOOK_NAMES),
                marked.module.path,
                marked.function.lineno,
            )
    main = folder.modules.get(MAIN)
    for name, marked in folder.hooks.shown.items():
        if main and name not in HOOK_NAMES and marked.function.name in HOOK_NAMES:
            node = main.bindings.get(name, [None])[0]
            yield Problem(
                f"main.py calls the hook {marked.function.name!r} {name!r}; pluggy goes by the "
                "name in main.py.",
                f"Import it under its own name: {marked.function.name}.",
                MAIN,
                node.lineno if node else None,
            )
