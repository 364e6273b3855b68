"""HUB201: a file that Python cannot parse."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB201"
TITLE = "Python cannot parse the file"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Report what the parser said."""
    for module in folder.modules.values():
        if module.fault:
            yield Problem(
                f"Python cannot read this file: {module.fault.message}.",
                "Mend the syntax at this line, or just above it. Python 3.11 has to read it.",
                module.path,
                module.fault.line,
            )
