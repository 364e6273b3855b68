"""HUB411: notebooks are fine to work in, and hard to review."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB411"
TITLE = "A notebook"
SEVERITY: Severity = "hint"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at the extensions."""
    for entry in folder.files:
        if entry.suffix == ".ipynb":
            yield Problem(
                "The hub runs no notebooks, and reviewers cannot read their differences.",
                "Move what matters into src/*.py, and leave the notebook out.",
                entry.path,
            )
