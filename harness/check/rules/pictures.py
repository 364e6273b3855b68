"""Pictures that loaders do not find or training would learn wrongly. HUB301, HUB305 to HUB310."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import limits
from harness.check.file_kinds import FORBIDDEN, kind_by_content
from harness.check.folder import Entry, Folder, is_junk
from harness.check.problem import Problem, rule
from harness.check.rules.captions import picture_files, stem
from toolkit.images.headers import RGB_ABLE


@rule("HUB301", "There are no pictures")
def no_pictures(folder: Folder) -> Iterator[Problem]:
    """A data set without a picture."""
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


@rule("HUB305", "Two pictures share one caption")
def same_stem(folder: Folder) -> Iterator[Problem]:
    """Two pictures that would share one caption."""
    first: dict[str, str] = {}
    for entry in picture_files(folder):
        other = first.setdefault(stem(entry.name), entry.name)
        if other != entry.name:
            yield Problem(
                f"{entry.name!r} and {other!r} share the caption '{stem(entry.name)}.txt'.",
                "Rename one of them, and give it its own caption.",
                entry.path,
            )


@rule("HUB306", "A file in Dataset/Images is not a picture that loaders find")
def picture_format(folder: Folder) -> Iterator[Problem]:
    """PNG, JPEG and WEBP, under their own extensions."""
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
                f"Rename it to {stem(picture.path)}{_extension(real)}.",
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
            f"Rename it to {stem(entry.name)}{entry.suffix}.",
            entry.path,
        )


def _extension(real: str) -> str:
    return next(suffix for suffix, name in limits.PICTURE_FORMATS.items() if name == real)


@rule("HUB307", "A picture is damaged")
def picture_broken(folder: Folder) -> Iterator[Problem]:
    """A picture that cannot be decoded, or only in part."""
    for picture in folder.pictures:
        if not picture.data:
            yield Problem("The picture is empty.", "Export it again.", picture.path)
        elif picture.real_format and picture.fault and not picture.is_huge:
            yield Problem(
                f"The picture is damaged: {picture.fault}.",
                "Export it again from the original.",
                picture.path,
            )


@rule("HUB308", "A picture is too small")
def picture_small(folder: Folder) -> Iterator[Problem]:
    """A picture that would be blown up."""
    for picture in folder.pictures:
        header = picture.header
        if header and min(header.width, header.height) < limits.MIN_SIDE_PX:
            yield Problem(
                f"The picture has {header.width} x {header.height} pixels; the shorter side "
                f"needs {limits.MIN_SIDE_PX}.",
                "Use a larger original: enlarging teaches the model blur.",
                picture.path,
            )


@rule("HUB309", "A picture has too many pixels")
def picture_large(folder: Folder) -> Iterator[Problem]:
    """A picture with more pixels than a decoder should accept."""
    # Read the size from the header; such a picture is never decoded.
    for picture in folder.pictures:
        if picture.is_huge:
            yield Problem(
                "The picture has more than 4096 x 4096 pixels; decoding it would fill the memory.",
                "Scale it down; 512 to 1024 pixels are plenty.",
                picture.path,
            )


@rule("HUB310", "A picture cannot be turned into RGB faithfully")
def picture_mode(folder: Folder) -> Iterator[Problem]:
    """Pixel values that would be clipped on the way to RGB."""
    for picture in folder.pictures:
        if picture.header and picture.header.mode not in RGB_ABLE:
            yield Problem(
                f"The picture's mode is {picture.header.mode!r}: as RGB most of it would turn "
                "white.",
                "Save it with 8 bits per channel.",
                picture.path,
            )
