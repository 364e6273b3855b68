"""HUB225: editing sys.path decides what all other code imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.check.python_source import Module

ID = "HUB225"
TITLE = "sys.path is edited"
SEVERITY: Severity = "error"
FIXABLE = False

_EDITS = frozenset(
    f"sys.{attribute}.{method}"
    for attribute in ("path", "meta_path", "path_hooks")
    for method in ("append", "insert", "extend", "remove", "pop", "clear", "reverse", "sort")
) | {"site.addsitedir"}


def check(folder: Folder) -> Iterator[Problem]:
    """Look for calls and assignments that change where imports are searched."""
    for module in folder.modules.values():
        for line in sorted({*_calls(module), *_assignments(module)}):
            yield Problem(
                "sys.path is edited: files of other contributions may be imported instead of "
                "yours.",
                "Remove it, and import your files with a dot: from .lora import ...",
                module.path,
                line,
            )


def _calls(module: Module) -> Iterator[int]:
    for name, call in module.calls:
        if name in _EDITS:
            yield call.lineno


def _assignments(module: Module) -> Iterator[int]:
    targets: list[ast.expr] = []
    for assign in module.nodes(ast.Assign):
        targets += assign.targets
    targets += [node.target for node in module.nodes(ast.AugAssign)]
    for delete in module.nodes(ast.Delete):
        targets += delete.targets
    for target in targets:
        inner = target.value if isinstance(target, ast.Subscript) else target
        if isinstance(inner, ast.Attribute) and module.dotted(inner) == "sys.path":
            yield target.lineno
