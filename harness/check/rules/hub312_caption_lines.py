"""HUB312: some loaders read the whole file, others its first line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.check import captions, mending
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB312"
TITLE = "A caption has several lines"
SEVERITY: Severity = "hint"
FIXABLE = True


def check(folder: Folder) -> Iterator[Problem]:
    """Count the lines with text on them, and those before the first."""
    for entry in captions.caption_files(folder):
        text = folder.text(entry)
        lines = text.rstrip().splitlines() if text else []
        if text and text.strip() and len(lines) > 1:
            yield Problem(
                "The caption has several lines; loaders differ in what they make of that.",
                "Put it on one line; `check --fix` joins them.",
                entry.path,
                2,
            )


def mend(file: Path) -> None:
    """Join the lines with spaces."""
    mending.rewrite_text(file, lambda text: " ".join(text.split()) + "\n")
