"""HUB202: a declared hook that the hub would not see."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import MAIN, TOML, Folder
from harness.check.hooks import Elsewhere, Lost
from harness.check.problem import Problem, Severity
from harness.check.python_source import Module
from harness.check.rules.hub221_bare_sibling_import import is_sibling
from toolkit.core.settings import HOOK_NAMES

ID = "HUB202"
TITLE = "A declared hook is not in main.py"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Follow each declared hook from main.py to its function."""
    main = folder.modules.get(MAIN)
    if main is None or main.fault:
        return
    scan = folder.hooks
    for hook in folder.declared_hooks or ():
        if hook in scan.found or hook in scan.plain:
            continue  # HUB204 speaks about functions that only lack the marker.
        meaning = scan.others.get(hook)
        if isinstance(meaning, Lost) and meaning.reported:
            continue
        if isinstance(meaning, Elsewhere) and _import_is_reported(folder, meaning.name):
            continue
        if isinstance(meaning, Lost) and _misspelt_there(folder, hook):
            continue  # HUB205 says which function is misspelt.
        yield _problem(folder, hook, meaning)


def _import_is_reported(folder: Folder, name: str) -> bool:
    top = name.partition(".")[0]  # HUB221, HUB222 and HUB223 speak about these imports.
    return top in {"src", "CONTRIBUTIONS"} or is_sibling(folder, ("src",), top)


def _own_import(main: Module, hook: str) -> ast.ImportFrom | None:
    """Return the line by which main.py takes a hook from a module of its own folder."""
    nodes = main.bindings.get(hook, [])
    return next((n for n in nodes if isinstance(n, ast.ImportFrom) and n.level > 0), None)


def _misspelt_there(folder: Folder, hook: str) -> bool:
    """Tell whether the module that main.py imports the hook from marks a function of no hook."""
    node = _own_import(folder.modules[MAIN], hook)
    if node is None or not node.module:
        return False
    path = f"src/{node.module.replace('.', '/')}.py"
    names = [m.function.name for m in folder.hooks.marked if m.module.path == path and m.at_top]
    return any(name not in HOOK_NAMES for name in names)


def _right_line(folder: Folder, hook: str) -> str:
    """Return what to do, naming no module that is not there."""
    written = next((m for m in folder.hooks.marked if m.function.name == hook and m.at_top), None)
    if written:
        module = ".".join(written.module.parts[1:])
        return f"Import it from your own file: from .{module} import {hook}."
    node = _own_import(folder.modules[MAIN], hook)
    if node is not None and node.module:
        path = f"src/{node.module.replace('.', '/')}.py"
        return f"Write a function {hook!r} in {path} and mark it with @hookimpl."
    return f"Write {hook!r} in a file of your own, mark it with @hookimpl, import it from there."


def _problem(folder: Folder, hook: str, meaning: object) -> Problem:
    line = folder.toml_line("hooks")
    main = folder.modules[MAIN]
    if meaning is not None:
        node = main.bindings[hook][0] if hook in main.bindings else None
        where = (MAIN, node.lineno) if node else (TOML, line)
        if isinstance(meaning, Elsewhere):
            what = f"main.py takes {hook!r} from {meaning.name!r}, which is not this contribution."
        else:
            what = f"{hook!r} in main.py does not lead to a function of this contribution."
        return Problem(what, _right_line(folder, hook), *where)
    elsewhere = next((m for m in folder.hooks.marked if m.function.name == hook and m.at_top), None)
    if elsewhere:
        module = ".".join(elsewhere.module.parts[1:])
        return Problem(
            f"The hook {hook!r} is written in {elsewhere.module.path}, but main.py does not "
            "import it, so the hub never sees it.",
            f"Add to src/main.py: from .{module} import {hook}",
            elsewhere.module.path,
            elsewhere.function.lineno,
        )
    return Problem(
        f"contribution.toml declares the hook {hook!r}, but no function of that name is marked.",
        f"Write it with @hookimpl and import it in src/main.py, or take {hook!r} off the list.",
        TOML,
        line,
    )
