"""HUB204: a function named like a hook, without the marker that makes it one."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.hooks import Plain
from harness.check.problem import Problem, Severity
from harness.check.python_source import Function, Module
from toolkit.core.settings import HOOK_NAMES

ID = "HUB204"
TITLE = "A function is named like a hook but not marked"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at the top-level functions; methods and inner functions may be called anything."""
    marked = {item.function.name for item in folder.hooks.marked} | set(folder.hooks.shown)
    marked_nodes = {id(item.function) for item in folder.hooks.marked}
    reported = set()
    # What main.py shows under a hook's name counts even when the function has another name.
    for hook, plain in folder.hooks.plain.items():
        reported.add(id(plain.function))
        yield _problem(plain, hook)
    for module in folder.modules.values():
        for hook in HOOK_NAMES:
            for node in module.bindings.get(hook, []):
                is_function = isinstance(node, Function) and id(node) not in marked_nodes | reported
                # With a marked one elsewhere this is a helper, such as main.py's own wrapper.
                if is_function and isinstance(node, Function) and hook not in marked:
                    yield _problem(Plain(module, node), hook)


def _problem(plain: Plain, hook: str) -> Problem:
    module, function = plain
    if _has_foreign_marker(module, function):
        what = f"The @hookimpl of {function.name!r} is not the hub's, so the hub does not see it."
        fix = "Use: from harness import hookimpl"
    else:
        what = f"The function {function.name!r} is named like a hook but not marked with @hookimpl."
        if function.name != hook:
            what = f"main.py shows {function.name!r} as {hook!r}, but it has no @hookimpl."
        fix = "Did you forget @hookimpl? (from harness import hookimpl.) If not, rename it."
    return Problem(what, fix, module.path, function.lineno)


def _has_foreign_marker(module: Module, function: Function) -> bool:
    return any(
        module.dotted(getattr(decorator, "func", decorator)).rpartition(".")[2] == "hookimpl"
        for decorator in function.decorator_list
    )
