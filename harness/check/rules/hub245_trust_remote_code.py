"""HUB245: trust_remote_code=True runs code that no reviewer has seen."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.calls import keyword_constant
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB245"
TITLE = "trust_remote_code=True"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at every call."""
    for module in folder.modules.values():
        for _, call in module.calls:
            if keyword_constant(call, "trust_remote_code") is True:
                yield Problem(
                    "trust_remote_code=True downloads and runs code that can change any day.",
                    "Leave it out, and put the code that you need into your folder.",
                    module.path,
                    call.lineno,
                )
