"""HUB309: a picture with more pixels than a decoder should accept."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB309"
TITLE = "A picture has too many pixels"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Read the size from the header; such a picture is never decoded."""
    for picture in folder.pictures:
        if picture.is_huge:
            yield Problem(
                "The picture has more than 4096 x 4096 pixels; decoding it would fill the memory.",
                "Scale it down; 512 to 1024 pixels are plenty.",
                picture.path,
            )
