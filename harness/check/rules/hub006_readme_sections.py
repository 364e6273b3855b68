"""HUB006: the three questions that readers of a contribution have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.check.rules import hub005_readme_empty

ID = "HUB006"
TITLE = "README.md leaves a question open"
SEVERITY: Severity = "hint"
FIXABLE = False

_SECTIONS = {
    "What": re.compile(r"\b(what|idea|summary|overview|about|method|changes?)\b", re.IGNORECASE),
    "Why": re.compile(r"\b(why|motivation|background|reason|rationale)\b", re.IGNORECASE),
    "Results": re.compile(r"\b(results?|outcome|evaluation|score|findings)\b", re.IGNORECASE),
}


def check(folder: Folder) -> Iterator[Problem]:
    """Look for a heading per question."""
    entry = folder.by_path.get("README.md")
    text = folder.text(entry) if entry and entry.kind == "file" else None
    if text is None or any(hub005_readme_empty.check(folder)):
        return
    headings = [line for line in text.splitlines()[1:] if re.match(r"#{1,6}\s", line)]
    missing = [name for name, words in _SECTIONS.items() if not any(map(words.search, headings))]
    if missing:
        names = ", ".join(f"'## {name}'" for name in missing)
        yield Problem(
            f"README.md has no section {names}.",
            "Readers ask what it changes, why, and what came out: a line each is enough.",
            "README.md",
            1,
        )
