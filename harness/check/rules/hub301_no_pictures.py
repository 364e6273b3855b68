"""HUB301: a data set without a picture."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import limits
from harness.check.folder import Folder, is_junk
from harness.check.problem import Problem, Severity

ID = "HUB301"
TITLE = "There are no pictures"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Ask for one file with a picture's extension."""
    if folder.is_folder(limits.IMAGES) and not any(
        entry.parent == limits.IMAGES
        and entry.suffix in limits.PICTURE_FORMATS
        and not is_junk(entry.path)
        for entry in folder.files
    ):
        yield Problem(
            f"{limits.IMAGES} has no pictures.",
            "Put at least one .png, .jpg, .jpeg or .webp into it, with a caption.",
            limits.IMAGES,
        )
