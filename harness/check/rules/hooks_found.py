"""Whether the hub sees the hooks that a contribution means to have. HUB202 to HUB205, HUB211."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import MAIN, TOML, Folder
from harness.check.hooks import Elsewhere, Lost, Plain
from harness.check.problem import Problem, rule
from harness.check.python_source import Function, Module
from harness.check.rules.imports import is_sibling
from toolkit.core.settings import HOOK_NAMES
from toolkit.core.text import suggestion


@rule("HUB202", "A declared hook is not in main.py")
def hook_not_found(folder: Folder) -> Iterator[Problem]:
    """A declared hook that the hub would not see."""
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
        yield _lost(folder, hook, meaning)


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


def _lost(folder: Folder, hook: str, meaning: object) -> Problem:
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
            *elsewhere.module.at(elsewhere.function),
        )
    return Problem(
        f"contribution.toml declares the hook {hook!r}, but no function of that name is marked.",
        f"Write it with @hookimpl and import it in src/main.py, or take {hook!r} off the list.",
        TOML,
        line,
    )


@rule("HUB203", "A hook is not declared in contribution.toml")
def hook_not_declared(folder: Folder) -> Iterator[Problem]:
    """A hook that is written but not declared would silently not be used."""
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


@rule("HUB204", "A function is named like a hook but not marked")
def unmarked_hook(folder: Folder) -> Iterator[Problem]:
    """A function named like a hook, without the marker that makes it one."""
    # Look at the top-level functions; methods and inner functions may be called anything.
    marked = {item.function.name for item in folder.hooks.marked} | set(folder.hooks.shown)
    marked_nodes = {id(item.function) for item in folder.hooks.marked}
    reported = set()
    # What main.py shows under a hook's name counts even when the function has another name.
    for hook, plain in folder.hooks.plain.items():
        reported.add(id(plain.function))
        yield _unmarked(plain, hook)
    for module in folder.modules.values():
        for hook in HOOK_NAMES:
            for node in module.bindings.get(hook, []):
                is_function = isinstance(node, Function) and id(node) not in marked_nodes | reported
                # With a marked one elsewhere this is a helper, such as main.py's own wrapper.
                if is_function and isinstance(node, Function) and hook not in marked:
                    yield _unmarked(Plain(module, node), hook)


def _unmarked(plain: Plain, hook: str) -> Problem:
    module, function = plain
    if _has_foreign_marker(module, function):
        what = f"The @hookimpl of {function.name!r} is not the hub's, so the hub does not see it."
        fix = "Use: from harness import hookimpl"
    else:
        what = f"The function {function.name!r} is named like a hook but not marked with @hookimpl."
        if function.name != hook:
            what = f"main.py shows {function.name!r} as {hook!r}, but it has no @hookimpl."
        fix = "Did you forget @hookimpl? (from harness import hookimpl.) If not, rename it."
    return Problem(what, fix, *module.at(function))


def _has_foreign_marker(module: Module, function: Function) -> bool:
    return any(
        module.dotted(getattr(decorator, "func", decorator)).rpartition(".")[2] == "hookimpl"
        for decorator in function.decorator_list
    )


@rule("HUB205", "A marked function is not one of the four hooks")
def unknown_hook(folder: Folder) -> Iterator[Problem]:
    """A marked function whose name is no hook."""
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
                *marked.module.at(marked.function),
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


@rule("HUB211", "A marked function is inside a class or function")
def hook_out_of_reach(folder: Folder) -> Iterator[Problem]:
    """A marked method or inner function, which pluggy never looks at."""
    for marked in folder.hooks.marked:
        if not marked.at_top:
            yield Problem(
                f"{marked.function.name!r} is marked inside a class, a function or "
                "`if __name__`; the hub only sees functions of the module itself.",
                "Move it to the left margin, as a plain function.",
                *marked.module.at(marked.function),
            )
