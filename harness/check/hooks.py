"""Find hook implementations without importing anything.

pluggy looks at the names of main.py alone. So the question is: what does each name of main.py
lead to, through relative imports and assignments, and is that function marked with the hub's
``@hookimpl``?
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from harness import hookspecs
from harness.check.python_source import Function, Module, Sources, resolve_relative
from toolkit.core.settings import HOOK_NAMES

MAIN = "src/main.py"
MARKER = "harness.hookimpl"
_LONGEST_CHAIN = 100
_CALL = "hookimpl("
_MOST_CALLS = 8


class Marked(NamedTuple):
    """A function that carries the hub's marker."""

    module: Module
    function: Function
    call: ast.Call | None  # `hookimpl(...)` with options, if it is one
    at_top: bool  # False for methods and functions inside functions


class Plain(NamedTuple):
    """A function without the marker."""

    module: Module
    function: Function


class Elsewhere(NamedTuple):
    """A name that comes from another package."""

    name: str


class Lost(NamedTuple):
    """A name that cannot be followed; ``reported`` when another rule says why."""

    reported: bool


Meaning: TypeAlias = Marked | Plain | Elsewhere | Lost


class HookScan(NamedTuple):
    """What a folder's source says about its hooks."""

    marked: tuple[Marked, ...]  # everywhere in the folder
    shown: dict[str, Marked]  # name in main.py -> the marked function it leads to
    plain: dict[str, Plain]  # hook name in main.py -> an unmarked function
    others: dict[str, Meaning]  # hook name in main.py -> something else

    @property
    def found(self) -> tuple[str, ...]:
        """The hooks that the hub will see."""
        return tuple(hook for hook in HOOK_NAMES if hook in self.shown)


def parameters_of(hook: str) -> tuple[str, ...]:
    """Return the parameter names that the contract gives a hook."""
    code = getattr(hookspecs, hook).__code__
    return tuple(code.co_varnames[: code.co_argcount])


def scan(folder: Sources) -> HookScan:
    """Follow every name of main.py, and list all marked functions of the folder."""
    marked = tuple(
        item for module in folder.modules.values() for item in _marked_in(folder, module)
    )
    shown: dict[str, Marked] = {}
    plain: dict[str, Plain] = {}
    others: dict[str, Meaning] = {}
    main = folder.modules.get(MAIN)
    for name in sorted(_visible_names(folder, main)) if main else ():
        meanings = list(follow(folder, main, name)) if main else []
        best = next((item for item in meanings if isinstance(item, Marked)), None)
        if best:
            shown[name] = best
        elif name in HOOK_NAMES and meanings:
            unmarked = next((item for item in meanings if isinstance(item, Plain)), None)
            if unmarked:
                plain[name] = unmarked
            else:
                others[name] = meanings[0]
    return HookScan(marked, shown, plain, others)


def follow(
    folder: Sources, module: Module, name: str, seen: set[tuple[str, str]] | None = None
) -> Iterator[Meaning]:
    """Yield everything that ``name`` can mean in ``module``.

    ``seen`` is shared by the whole search, so that circular imports end and no source, however
    entangled, costs more than one look per name.
    """
    seen = set() if seen is None else seen
    if (module.path, name) in seen:
        return
    seen.add((module.path, name))
    if module.fault or len(seen) > _LONGEST_CHAIN:
        yield Lost(reported=module.fault is not None)
        return
    bindings = module.bindings.get(name, [])
    for node in bindings:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield _judge(folder, module, node)
        elif isinstance(node, ast.ImportFrom):
            yield from _follow_import(folder, module, node, name, seen)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            yield from _follow_value(folder, module, node.value, seen)
        else:
            yield Lost(reported=False)
    if not bindings:
        for target in _star_targets(folder, module):
            if name in _public_names(target):
                yield from follow(folder, target, name, seen)


def marker_call(folder: Sources, module: Module, node: ast.expr) -> tuple[bool, ast.Call | None]:
    """Tell whether a decorator is the hub's marker, and return its call if it has options."""
    call = node if isinstance(node, ast.Call) else None
    target = call.func if call else node
    name = module.dotted(target)
    if name == MARKER or (name.startswith(".") and name.endswith(".hookimpl")):
        return True, call
    return isinstance(target, ast.Name) and _leads_to_marker(folder, module, target.id), call


def _leads_to_marker(folder: Sources, module: Module, name: str) -> bool:
    # A helper module of theirs may hand the marker on, or rename it.
    waiting, seen = [(module, name)], set()
    while waiting:
        module, name = waiting.pop()
        if (module.path, name) in seen:
            continue
        seen.add((module.path, name))
        for node in module.bindings.get(name, []):
            if isinstance(node, ast.ImportFrom):
                original = _original(node, name)
                if f"{node.module}.{original}" == MARKER and node.level == 0:
                    return True
                target = _target(folder, module, node)
                found = folder.module_at(target) if target is not None else None
                if found:
                    waiting.append((found, original))
            elif isinstance(node, ast.Assign):
                if module.dotted(node.value) == MARKER:
                    return True
                if isinstance(node.value, ast.Name):
                    waiting.append((module, node.value.id))
    return False


def _judge(folder: Sources, module: Module, node: Function, at_top: bool = True) -> Meaning:
    for decorator in node.decorator_list:
        is_marker, call = marker_call(folder, module, decorator)
        if is_marker:
            return Marked(module, node, call, at_top)
    return Plain(module, node)


def _marked_in(folder: Sources, module: Module) -> Iterator[Marked]:
    top = {id(node) for nodes in module.bindings.values() for node in nodes}
    for function in module.functions:
        if function.decorator_list:
            meaning = _judge(folder, module, function, id(function) in top)
            if isinstance(meaning, Marked):
                yield meaning
    for nodes in module.bindings.values():
        for node in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                for item in _follow_value(folder, module, node.value, set()):
                    if isinstance(item, Marked):
                        yield item


def _follow_value(
    folder: Sources, module: Module, value: ast.expr, seen: set[tuple[str, str]]
) -> Iterator[Meaning]:
    if isinstance(value, ast.Name):  # train = my_train
        yield from follow(folder, module, value.id, seen)
        return
    if isinstance(value, ast.Call) and value.args and isinstance(value.args[0], ast.Name):
        is_marker, call = marker_call(folder, module, value.func)
        if is_marker:
            for item in _follow_marked(folder, module, value.args[0].id, seen):
                if isinstance(item, Plain):
                    yield Marked(item.module, item.function, call, at_top=True)
                else:
                    yield item
            return
    name = module.dotted(value)
    yield Elsewhere(name) if name == MARKER else Lost(reported=False)


def _follow_marked(
    folder: Sources, module: Module, name: str, seen: set[tuple[str, str]]
) -> list[Meaning]:
    """Follow ``name`` in ``train = hookimpl(name)``, where it may be ``train`` itself again.

    So it starts anew, but each such call is entered once: the search still ends, and soon.
    """
    call = f"{_CALL}{name})"
    if (module.path, call) in seen:
        return []
    seen.add((module.path, call))
    inner = {key for key in seen if key[1].startswith(_CALL)}
    if len(inner) > _MOST_CALLS:
        return [Lost(reported=False)]
    meanings = list(follow(folder, module, name, inner))
    seen |= {key for key in inner if key[1].startswith(_CALL)}
    return meanings


def _follow_import(
    folder: Sources,
    module: Module,
    node: ast.ImportFrom,
    name: str,
    seen: set[tuple[str, str]],
) -> Iterator[Meaning]:
    original = _original(node, name)
    target = _target(folder, module, node)
    if target is None:
        yield Elsewhere(f"{node.module}.{original}") if node.level == 0 else Lost(reported=True)
        return
    found = folder.module_at(target)
    if found is None:
        # `from . import train` gives the module of that name; a missing one is HUB227's.
        yield Lost(reported=folder.module_at((*target, original)) is None)
        return
    meanings = list(follow(folder, found, original, seen))
    yield from meanings or [Lost(reported=False)]


def _original(node: ast.ImportFrom, name: str) -> str:
    return next((a.name for a in node.names if (a.asname or a.name) == name), name)


def _target(folder: Sources, module: Module, node: ast.ImportFrom) -> tuple[str, ...] | None:
    names = tuple((alias.name, alias.asname) for alias in node.names)
    item = next((i for i in module.imports if i.node is node), None)
    if item is None or item.names != names:
        return None
    if item.level:
        return resolve_relative(module, item)
    # Its own absolute name works as well; HUB223 asks for a relative import.
    parts = tuple(item.module.split("."))
    return parts[2:] if parts[:2] == ("CONTRIBUTIONS", folder.name) else None


def _star_targets(folder: Sources, module: Module) -> Iterator[Module]:
    for node in module.bindings.get("*", []):
        if isinstance(node, ast.ImportFrom):
            parts = _target(folder, module, node)
            found = folder.module_at(parts) if parts is not None else None
            if found and found is not module:
                yield found


def _public_names(module: Module) -> set[str]:
    for node in module.bindings.get("__all__", []):
        value = node.value if isinstance(node, ast.Assign) else None
        if isinstance(value, ast.List | ast.Tuple):
            return {
                item.value
                for item in value.elts
                if isinstance(item, ast.Constant) and isinstance(item.value, str)
            }
    return {name for name in module.bindings if not name.startswith("_")}


def _visible_names(folder: Sources, main: Module) -> set[str]:
    names = set(main.bindings) - {"*"}
    for target in _star_targets(folder, main):
        names |= _public_names(target)
    return names
