"""HUB302: a picture without its caption."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import captions, limits
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB302"
TITLE = "A picture has no caption"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for a caption file with the same stem."""
    names = {entry.name for entry in captions.caption_files(folder)}
    folded = {name.casefold(): name for name in names}
    for picture in captions.picture_files(folder):
        wanted = f"{captions.stem(picture.name)}.txt"
        if wanted not in names:
            near = folded.get(wanted.casefold())
            case = f" There is {near!r}: upper and lower case matter." if near else ""
            yield Problem(
                f"The picture {picture.name!r} has no caption {wanted!r}.{case}",
                f"Write {limits.CAPTIONS}/{wanted}: one line that says what the picture shows.",
                picture.path,
            )
