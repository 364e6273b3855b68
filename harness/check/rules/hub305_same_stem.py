"""HUB305: two pictures that would share one caption."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import captions
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB305"
TITLE = "Two pictures share one caption"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for pictures that differ in their extension only."""
    first: dict[str, str] = {}
    for entry in captions.picture_files(folder):
        stem = captions.stem(entry.name)
        other = first.setdefault(stem, entry.name)
        if other != entry.name:
            yield Problem(
                f"{entry.name!r} and {other!r} share the caption '{stem}.txt'.",
                "Rename one of them, and give it its own caption.",
                entry.path,
            )
