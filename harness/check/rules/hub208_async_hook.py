"""HUB208: async functions and generators return before they have done anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.hook_functions import hook_functions, own_nodes
from harness.check.problem import Problem, Severity

ID = "HUB208"
TITLE = "A hook is async or a generator"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for `async def` and for `yield`."""
    for hook, marked in hook_functions(folder):
        where = (marked.module.path, marked.function.lineno)
        if isinstance(marked.function, ast.AsyncFunctionDef):
            message = f"The hook {hook!r} is async; the hub would get a coroutine, not its result."
            yield Problem(message, f"Write: def {hook}(...).", *where)
        elif any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own_nodes(marked.function)):
            message = f"The hook {hook!r} has a yield, so calling it runs none of its lines."
            yield Problem(message, "Collect the values and return them.", *where)
