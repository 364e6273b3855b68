"""HUB221: `from lora import ...` finds whichever lora.py Python saw first."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check import packages
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB221"
TITLE = "A file of the contribution is imported without its dot"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare absolute imports with the contribution's own files."""
    for module in folder.modules.values():
        for item in module.imports:
            for name in item.modules:
                top = name.partition(".")[0]
                if packages.is_available(top) or not is_sibling(folder, module.package, top):
                    continue
                fixed = (
                    f"from .{name} import"
                    if isinstance(item.node, ast.ImportFrom)
                    else (f"from . import {name}")
                )
                yield Problem(
                    f"'{top}' without a dot may load another contribution's {top}.py, silently.",
                    f"Write: {fixed}{' ...' if fixed.endswith('import') else ''}",
                    module.path,
                    item.node.lineno,
                )


def is_sibling(folder: Folder, package: tuple[str, ...], name: str) -> bool:
    """Tell whether ``name`` is a file or folder of code beside the module, or in src/."""
    for base in {package, ("src",)}:
        parts = (*base, name)
        if folder.module_at(parts) or (folder.is_file("/".join(parts) + ".py")):
            return True
        prefix = "/".join(parts) + "/"
        if any(path.startswith(prefix) for path in folder.modules):
            return True
    return False
