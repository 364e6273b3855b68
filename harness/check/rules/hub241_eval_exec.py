"""HUB241: code made from text cannot be reviewed."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB241"
TITLE = "Text is run as code"
SEVERITY: Severity = "error"
FIXABLE = False

_CALLS = frozenset({"eval", "exec", "compile", "__import__"})


def check(folder: Folder) -> Iterator[Problem]:
    """Look for the built-ins; `model.eval()` and a function of one's own are something else."""
    for module in folder.modules.values():
        for name, call in module.calls:
            builtin = name.removeprefix("builtins.")
            if builtin in _CALLS and builtin not in module.bindings:
                yield Problem(
                    f"{builtin}() runs text as code, which no reviewer can follow.",
                    "Write the code itself; for literals use ast.literal_eval, for modules import.",
                    module.path,
                    call.lineno,
                )
