"""HUB303: a caption that says nothing."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import captions
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB303"
TITLE = "A caption is empty"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for captions of nothing but space."""
    for entry in captions.caption_files(folder):
        text = folder.text(entry)
        if text is not None and not text.strip():
            yield Problem(
                "The caption is empty: the picture would be trained under no words at all.",
                "Write one line that says what the picture shows.",
                entry.path,
                1,
            )
