"""HUB244: allow_pickle=True turns an array file into a program."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.calls import keyword_constant
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB244"
TITLE = "allow_pickle=True"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at every call: numpy's loader has many names."""
    for module in folder.modules.values():
        for _, call in module.calls:
            if keyword_constant(call, "allow_pickle") is True:
                yield Problem(
                    "allow_pickle=True can run code hidden in the file.",
                    "Leave it out; store tensors as safetensors.",
                    module.path,
                    call.lineno,
                )
