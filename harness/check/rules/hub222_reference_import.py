"""HUB222: `from src.lora import ...` is the reference's code, not the contribution's copy."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB222"
TITLE = "The reference's code is imported"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for absolute imports of `src`."""
    for module in folder.modules.values():
        for item in module.imports:
            for name in item.modules:
                if name == "src" or name.startswith("src."):
                    rest = name.partition(".")[2]
                    yield Problem(
                        f"{name!r} is the reference's code: your own file would never be used.",
                        f"Write: from .{rest} import ... (and copy the file if you have none)."
                        if rest
                        else "Write: from . import ...",
                        module.path,
                        item.node.lineno,
                    )
