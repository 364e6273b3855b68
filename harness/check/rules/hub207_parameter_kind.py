"""HUB207: parameters that pluggy fills differently from version to version, or not at all."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.hook_functions import hook_functions
from harness.check.problem import Problem, Severity

ID = "HUB207"
TITLE = "A hook's parameter has a default, a star, or is keyword-only"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Allow nothing but plain parameters."""
    for hook, marked in hook_functions(folder):
        for argument, fault in _faults(marked.function.args):
            yield Problem(
                f"The parameter {argument.arg!r} of the hook {hook!r} {fault}.",
                f"Write it plainly: def {hook}(..., {argument.arg}, ...). Settings are in config."
                if "star" not in fault
                else "Name the parameters that you need, and leave the others out.",
                marked.module.path,
                argument.lineno,
            )


def _faults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, str]]:
    plain = [*arguments.posonlyargs, *arguments.args]
    for argument in plain[len(plain) - len(arguments.defaults) :]:
        yield argument, "has a default value, which may be used instead of the hub's"
    for argument in arguments.kwonlyargs:
        yield argument, "is keyword-only, and pluggy never fills those"
    for starred in (arguments.vararg, arguments.kwarg):
        if starred:
            yield starred, "has a star, and pluggy never fills those"
