"""HUB308: a picture that would be blown up."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import limits
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB308"
TITLE = "A picture is too small"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare the shorter side with the smallest resolution of the hub."""
    for picture in folder.pictures:
        header = picture.header
        if header and min(header.width, header.height) < limits.MIN_SIDE_PX:
            yield Problem(
                f"The picture has {header.width} x {header.height} pixels; the shorter side "
                f"needs {limits.MIN_SIDE_PX}.",
                "Use a larger original: enlarging teaches the model blur.",
                picture.path,
            )
