"""HUB005: a README that says nothing."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB005"
TITLE = "README.md is empty"
SEVERITY: Severity = "error"
FIXABLE = False

_LEAST_CHARACTERS = 20


def check(folder: Folder) -> Iterator[Problem]:
    """Ask for one sentence besides the headings."""
    entry = folder.by_path.get("README.md")
    text = folder.text(entry) if entry and entry.kind == "file" else None
    if text is None:
        return
    prose = "".join(line for line in text.splitlines() if not line.startswith("#"))
    if len(prose.strip()) < _LEAST_CHARACTERS:
        yield Problem(
            "README.md has no text besides its headings.",
            "Say in a sentence or two what your contribution changes and why.",
            "README.md",
            1,
        )
