"""HUB306: PNG, JPEG and WEBP, under their own extensions."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import captions, limits
from harness.check.file_kinds import FORBIDDEN, kind_by_content
from harness.check.folder import Entry, Folder, is_junk
from harness.check.problem import Problem, Severity

ID = "HUB306"
TITLE = "A file in Dataset/Images is not a picture that loaders find"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare place, extension and first bytes."""
    prefix = f"{limits.IMAGES}/"
    for entry in folder.files:
        if entry.path.startswith(prefix) and not is_junk(entry.path) and entry.name != ".gitkeep":
            yield from _misplaced(entry)
    for picture in folder.pictures:
        expected = limits.PICTURE_FORMATS[picture.suffix]
        real = picture.real_format
        if real and real != expected:
            yield Problem(
                f"The extension is {picture.suffix}, but inside it is a {real} picture.",
                f"Rename it to {captions.stem(picture.path)}{_extension(real)}.",
                picture.path,
            )
        elif real is None and picture.data and kind_by_content(picture.data) is None:
            yield Problem(
                "It is not a PNG, JPEG or WEBP picture, whatever its extension says.",
                "Open it in an image program and save it as PNG.",
                picture.path,
            )


def _misplaced(entry: Entry) -> Iterator[Problem]:
    if entry.parent != limits.IMAGES:
        yield Problem(
            "No loader looks into folders inside Dataset/Images.",
            f"Move it to {limits.IMAGES}/.",
            entry.path,
        )
    elif entry.suffix not in limits.PICTURE_FORMATS:
        if entry.suffix not in FORBIDDEN:
            yield Problem(
                f"{entry.suffix or 'No extension'} is not a picture that the hub reads.",
                "Save it as .png, .jpg, .jpeg or .webp.",
                entry.path,
            )
    elif not entry.name.endswith(entry.suffix):
        yield Problem(
            "The extension is in capitals; on Linux loaders would not find it.",
            f"Rename it to {captions.stem(entry.name)}{entry.suffix}.",
            entry.path,
        )


def _extension(real: str) -> str:
    return next(suffix for suffix, name in limits.PICTURE_FORMATS.items() if name == real)
