"""HUB310: pixel values that would be clipped on the way to RGB."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from toolkit.images.headers import RGB_ABLE

ID = "HUB310"
TITLE = "A picture cannot be turned into RGB faithfully"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare the mode with those that `convert("RGB")` keeps intact."""
    for picture in folder.pictures:
        if picture.header and picture.header.mode not in RGB_ABLE:
            yield Problem(
                f"The picture's mode is {picture.header.mode!r}: as RGB most of it would turn "
                "white.",
                "Save it with 8 bits per channel.",
                picture.path,
            )
