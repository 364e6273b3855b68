"""HUB251: a module that does something when it is merely imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.import_time import first_heavy_call, is_harmless_call
from harness.check.problem import Problem, Severity
from harness.check.python_source import Module, Statement

ID = "HUB251"
TITLE = "Code runs when the module is imported"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at the statements that run on import, `if __name__ == "__main__":` excepted."""
    for module in folder.modules.values():
        for statement in module.statements:
            context = statement.context
            if context.at_import and not context.when_main and not context.typing_only:
                what = _what_runs(module, statement)
                if what:
                    yield Problem(
                        f"{what} when the module is imported, before any hook is called.",
                        'Move it into a function, or under if __name__ == "__main__":',
                        module.path,
                        statement.node.lineno,
                    )


def _what_runs(module: Module, statement: Statement) -> str | None:
    node = statement.node
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        name = module.dotted(node.value.func).lstrip(".")
        if is_harmless_call(module, node.value) or name.startswith(("sys.path.", "site.")):
            return None  # sys.path is HUB225's.
        return f"{name}() runs" if name else "A call runs"
    # What stands inside a for loop or a with block is looked at line by line.
    if isinstance(node, ast.While):
        return "A loop runs"
    if isinstance(node, ast.With):
        heavy = next(filter(None, (first_heavy_call(module, i) for i in node.items)), None)
        return f"{heavy}() runs" if heavy else None
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        changed = _changed_import(module, node)
        if changed:
            return f"{changed} is changed for the whole process"
        heavy = first_heavy_call(module, node)
        return f"{heavy}() runs" if heavy else None
    return None


def _changed_import(module: Module, node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> str | None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        inner: ast.expr = target
        while isinstance(inner, ast.Subscript | ast.Attribute):
            inner = inner.value
        if inner is not target and isinstance(inner, ast.Name) and inner.id in module.aliases:
            owner = target.value if isinstance(target, ast.Subscript) else target
            name = module.dotted(owner)
            return None if name == "sys.path" else name or inner.id
    return None
