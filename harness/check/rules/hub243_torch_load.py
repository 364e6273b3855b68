"""HUB243: torch.load reads pickles unless it is told not to."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.calls import keyword_constant
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB243"
TITLE = "torch.load without weights_only=True"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Ask for the literal `weights_only=True`; the default depends on torch's version."""
    for module in folder.modules.values():
        for name, call in module.calls:
            if name == "torch.load" and keyword_constant(call, "weights_only") is not True:
                yield Problem(
                    "torch.load() without weights_only=True can run code hidden in the file.",
                    "Use safetensors.torch.load_file, or add weights_only=True.",
                    module.path,
                    call.lineno,
                )
