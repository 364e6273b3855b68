"""HUB307: a picture that cannot be decoded, or only in part."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB307"
TITLE = "A picture is damaged"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Open each picture's header and compare its checksums and end mark."""
    for picture in folder.pictures:
        if not picture.data:
            yield Problem("The picture is empty.", "Export it again.", picture.path)
        elif picture.real_format and picture.fault and not picture.is_huge:
            yield Problem(
                f"The picture is damaged: {picture.fault}.",
                "Export it again from the original.",
                picture.path,
            )
