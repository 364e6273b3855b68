"""What pluggy makes of a hook: its parameters, options and result. HUB206 to HUB210."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.hooks import Marked, parameters_of
from harness.check.problem import Problem, rule
from harness.check.python_source import Function
from toolkit.core.settings import HOOK_NAMES
from toolkit.core.text import suggestion


def hook_functions(folder: Folder) -> Iterator[tuple[str, Marked]]:
    """Yield each marked function with the hook it implements, by its name in main.py or its own."""
    seen = set()
    shown = [(name, marked) for name, marked in folder.hooks.shown.items() if name in HOOK_NAMES]
    own = [(marked.function.name, marked) for marked in folder.hooks.marked if marked.at_top]
    for name, marked in (*shown, *own):
        if name in HOOK_NAMES and id(marked.function) not in seen:
            seen.add(id(marked.function))
            yield name, marked


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, without those of functions inside it."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))


@rule("HUB206", "A hook has an unknown parameter")
def unknown_parameter(folder: Folder) -> Iterator[Problem]:
    """A hook asks for something that it is never handed."""
    # Compare the parameters with the contract's; leaving some out is fine.
    for hook, marked in hook_functions(folder):
        known = parameters_of(hook)
        arguments = marked.function.args
        for argument in (*arguments.posonlyargs, *arguments.args):
            if argument.arg not in known:
                yield Problem(
                    f"The hook {hook!r} has no parameter {argument.arg!r}.",
                    suggestion(argument.arg, known),
                    *marked.module.at(argument),
                )


@rule("HUB207", "A hook's parameter has a default, a star, or is keyword-only")
def parameter_kind(folder: Folder) -> Iterator[Problem]:
    """Parameters that pluggy fills differently from version to version, or not at all."""
    for hook, marked in hook_functions(folder):
        for argument, fault in _parameter_faults(marked.function.args):
            yield Problem(
                f"The parameter {argument.arg!r} of the hook {hook!r} {fault}.",
                f"Write it plainly: def {hook}(..., {argument.arg}, ...). Settings are in config."
                if "star" not in fault
                else "Name the parameters that you need, and leave the others out.",
                *marked.module.at(argument),
            )


def _parameter_faults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, str]]:
    plain = [*arguments.posonlyargs, *arguments.args]
    for argument in plain[len(plain) - len(arguments.defaults) :]:
        yield argument, "has a default value, which may be used instead of the hub's"
    for argument in arguments.kwonlyargs:
        yield argument, "is keyword-only, and pluggy never fills those"
    for starred in (arguments.vararg, arguments.kwarg):
        if starred:
            yield starred, "has a star, and pluggy never fills those"


@rule("HUB208", "A hook is async or a generator")
def async_hook(folder: Folder) -> Iterator[Problem]:
    """Async functions and generators return before they have done anything."""
    for hook, marked in hook_functions(folder):
        where = marked.module.at(marked.function)
        if isinstance(marked.function, ast.AsyncFunctionDef):
            message = f"The hook {hook!r} is async; the hub would get a coroutine, not its result."
            yield Problem(message, f"Write: def {hook}(...).", *where)
        elif any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own_nodes(marked.function)):
            message = f"The hook {hook!r} has a yield, so calling it runs none of its lines."
            yield Problem(message, "Collect the values and return them.", *where)


@rule("HUB209", "@hookimpl has an option")
def hook_options(folder: Folder) -> Iterator[Problem]:
    """Options of @hookimpl that would change who runs, and when."""
    # Refuse every option: wrapper, hookwrapper, tryfirst, trylast, optionalhook, specname.
    for marked in folder.hooks.marked:
        for keyword in marked.call.keywords if marked.call else ():
            option = keyword.arg or "**options"
            yield Problem(
                f"@hookimpl({option}=...) of {marked.function.name!r} is not allowed: it could "
                "replace or hide other code.",
                "Write @hookimpl alone.",
                *marked.module.at(keyword.value),
            )


# A hint, because the hub refuses None anyway, with the hook's name; this only says it earlier.
@rule("HUB210", "A hook never returns a value", "hint")
def hook_returns_nothing(folder: Folder) -> Iterator[Problem]:
    """A hook without a return value."""
    # Look for one `return` with a value; generators are HUB208's.
    for hook, marked in hook_functions(folder):
        nodes = list(own_nodes(marked.function))
        returns = any(
            isinstance(node, ast.Return)
            and node.value is not None
            and not (isinstance(node.value, ast.Constant) and node.value.value is None)
            for node in nodes
        )
        if not returns and not any(isinstance(n, ast.Yield | ast.YieldFrom) for n in nodes):
            yield Problem(
                f"The hook {hook!r} never returns a value; to pluggy that means 'no answer'.",
                "Return what the contract asks for; harness/hookspecs.py says what.",
                *marked.module.at(marked.function),
            )
