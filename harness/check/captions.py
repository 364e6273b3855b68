"""Pictures and captions as pairs, for the HUB30x rules."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import limits
from harness.check.folder import Entry, Folder, is_junk


def stem(name: str) -> str:
    """Return a name without its extension, as `rsplit('.', 1)[0]` does in loaders."""
    return name.rsplit(".", 1)[0]


def picture_files(folder: Folder) -> Iterator[Entry]:
    """Yield the files that loaders take for pictures, whatever is inside them."""
    for entry in folder.examined:
        if (
            entry.parent == limits.IMAGES
            and entry.suffix in limits.PICTURE_FORMATS
            and not is_junk(entry.path)
        ):
            yield entry


def caption_files(folder: Folder) -> Iterator[Entry]:
    """Yield the files that loaders take for captions."""
    for entry in folder.examined:
        if (
            entry.parent == limits.CAPTIONS
            and entry.name.endswith(".txt")
            and not is_junk(entry.path)
        ):
            yield entry
