"""HUB304: a caption without its picture, or a file that no loader reads."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import captions, limits
from harness.check.folder import Folder, is_junk
from harness.check.problem import Problem, Severity

ID = "HUB304"
TITLE = "A caption belongs to no picture"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at everything below Dataset/ImageCaptions."""
    stems = {captions.stem(entry.name) for entry in captions.picture_files(folder)}
    prefix = f"{limits.CAPTIONS}/"
    for entry in folder.examined:
        if not entry.path.startswith(prefix) or is_junk(entry.path) or entry.name == ".gitkeep":
            continue
        if entry.parent != limits.CAPTIONS or not entry.name.endswith(".txt"):
            yield Problem(
                "No loader reads this file: captions are .txt files directly in "
                f"{limits.CAPTIONS}.",
                "Move or rename it, or remove it.",
                entry.path,
            )
        elif captions.stem(entry.name) not in stems:
            yield Problem(
                f"There is no picture {captions.stem(entry.name)!r} for this caption.",
                "Rename it after its picture, or remove it.",
                entry.path,
            )
