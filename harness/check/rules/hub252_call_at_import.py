"""HUB252: a constant that is worked out when the module is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.import_time import first_heavy_call, is_harmless_call
from harness.check.problem import Problem, Severity

ID = "HUB252"
TITLE = "A constant is computed by a call at import"
SEVERITY: Severity = "hint"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at assignments; calls known to be cheap and pure are left alone."""
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
                module.path,
                node.lineno,
            )
