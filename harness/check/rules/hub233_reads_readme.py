"""HUB233: README.md is for readers; what a contribution does may not depend on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB233"
TITLE = "Code names README.md"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for texts that name the file; docstrings and other free-standing texts may."""
    for module in folder.modules.values():
        free = {id(node.value) for node in module.nodes(ast.Expr)}
        for node in module.nodes(ast.Constant):
            value = node.value
            if isinstance(value, str) and id(node) not in free and "readme.md" in value.lower():
                yield Problem(
                    "The code names README.md, which a row's hash leaves out so that its words "
                    "may change without a new run.",
                    "Keep what the code needs in contribution.toml or in a file of its own.",
                    module.path,
                    node.lineno,
                )
