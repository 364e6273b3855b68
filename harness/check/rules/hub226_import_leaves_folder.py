"""HUB226: more dots than the folder is deep."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.check.python_source import resolve_relative

ID = "HUB226"
TITLE = "A relative import leaves the folder"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Count the dots."""
    for module in folder.modules.values():
        for item in module.imports:
            if item.level and resolve_relative(module, item) is None:
                yield Problem(
                    f"'{'.' * item.level}{item.module}' leads out of the contribution's folder.",
                    "Copy what you need into your folder; one dot means the same folder.",
                    module.path,
                    item.node.lineno,
                )
