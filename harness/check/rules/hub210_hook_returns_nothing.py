"""HUB210: a hook without a return value."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.hook_functions import hook_functions, own_nodes
from harness.check.problem import Problem, Severity

ID = "HUB210"
TITLE = "A hook never returns a value"
# A hint, because the hub refuses None anyway, with the hook's name; this only says it earlier.
SEVERITY: Severity = "hint"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for one `return` with a value; generators are HUB208's."""
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
                marked.module.path,
                marked.function.lineno,
            )
