"""HUB203: a hook that is written but not declared would silently not be used."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import TOML, Folder
from harness.check.problem import Problem, Severity
from toolkit.core.settings import HOOK_NAMES

ID = "HUB203"
TITLE = "A hook is not declared in contribution.toml"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare the marked functions with the declared hooks."""
    declared = folder.declared_hooks
    if declared is None or not folder.is_file(TOML):
        return
    if set(folder.declared_texts("hooks")) - set(HOOK_NAMES):
        return  # A misspelt entry is HUB104's, and probably means this very hook.
    found = dict(folder.hooks.shown)
    for marked in folder.hooks.marked:
        if marked.at_top:
            found.setdefault(marked.function.name, marked)
    for hook in HOOK_NAMES:
        if hook in found and hook not in declared:
            names = ", ".join(f'"{name}"' for name in HOOK_NAMES if name in {*declared, hook})
            yield Problem(
                f"The hook {hook!r} is written here, but contribution.toml does not list it: "
                "the reference's would run instead.",
                f"Write hooks = [{names}], or remove @hookimpl.",
                found[hook].module.path,
                found[hook].function.lineno,
            )
