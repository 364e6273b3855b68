"""What Python does before any hook is called. HUB201, HUB251 and HUB252."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.import_time import first_heavy_call, is_harmless_call
from harness.check.problem import Problem, rule
from harness.check.python_source import Module, Statement


@rule("HUB201", "Python cannot parse the file")
def syntax_error(folder: Folder) -> Iterator[Problem]:
    """A file that Python cannot parse."""
    for module in folder.modules.values():
        if module.fault:
            yield Problem(
                f"Python cannot read this file: {module.fault.message}.",
                "Mend the syntax at this line, or just above it. Python 3.11 has to read it.",
                module.path,
                module.fault.line,
            )


@rule("HUB251", "Code runs when the module is imported")
def code_at_import(folder: Folder) -> Iterator[Problem]:
    """A module that does something when it is merely imported."""
    # Look at the statements that run on import, `if __name__ == "__main__":` excepted.
    for module in folder.modules.values():
        for statement in module.statements:
            context = statement.context
            if context.at_import and not context.when_main and not context.typing_only:
                what = _what_runs(module, statement)
                if what:
                    yield Problem(
                        f"{what} when the module is imported, before any hook is called.",
                        'Move it into a function, or under if __name__ == "__main__":',
                        *module.at(statement.node),
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


@rule("HUB252", "A constant is computed by a call at import", "hint")
def call_at_import(folder: Folder) -> Iterator[Problem]:
    """A constant that is worked out when the module is imported."""
    # Look at assignments; calls known to be cheap and pure are left alone.
    for module in folder.modules.values():
        for node, context in module.statements:
            if (
                not isinstance(node, ast.Assign | ast.AnnAssign)
                or not isinstance(node.value, ast.Call)
                or not context.at_import
                or context.when_main
                or context.typing_only
                or is_harmless_call(module, node.value)
                or first_heavy_call(module, node)
            ):
                continue
            name = module.dotted(node.value.func).lstrip(".") or "a call"
            yield Problem(
                f"{name}() runs when the module is imported.",
                "If it is slow or looks at the machine, move it into the function that needs it.",
                *module.at(node),
            )
