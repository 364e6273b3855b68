"""Pictures and captions as pairs, for the HUB30x rules."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from harness.structure import limits
from harness.structure.folder import Entry, Folder, is_junk

# The count of anything longer is "more than": nobody shortens a novel token by token.
LONGEST_COUNTED = 20_000


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


def surely_fits(text: str) -> bool:
    """Tell whether a caption is too short to have too many tokens.

    CLIP's tokens are made of bytes of the normalised, lower-case text, so n bytes are at most n
    tokens. Counting the raw bytes would not do: normalising can make a text longer.
    """
    if len(text) > limits.CLIP_TOKENS * 4:
        return False
    normalised = unicodedata.normalize("NFC", text).lower().strip()
    return len(normalised.encode("utf-8", "replace")) <= limits.CLIP_TOKENS - 2
