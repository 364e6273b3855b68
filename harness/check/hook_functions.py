"""The hook implementations of a folder, as the HUB206 to HUB210 rules look at them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.hooks import Marked
from harness.check.python_source import Function
from toolkit.core.settings import HOOK_NAMES


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
