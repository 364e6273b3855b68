"""HUB223: contributions stand alone."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB223"
TITLE = "A contribution is imported by its absolute name"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for absolute imports of `CONTRIBUTIONS`."""
    for module in folder.modules.values():
        for item in module.imports:
            for name in item.modules:
                parts = name.split(".")
                if parts[0].casefold() != "contributions":
                    continue
                inner = [alias for alias, _ in item.names] if len(parts) == 1 else parts[1:2]
                if inner == [folder.name]:
                    message = "Inside a folder imports are relative, so that a copy uses itself."
                    fix = f"Write: from .{'.'.join(parts[3:])} import ..."
                else:
                    message = "Another contribution's code is imported; it may change any day."
                    fix = "Copy what you need into your folder, and name it under based_on."
                yield Problem(message, fix, module.path, item.node.lineno)
