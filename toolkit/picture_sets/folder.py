"""Classify the files of a folder: pictures, captions, neither."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from toolkit.core.errors import DataSetError
from toolkit.images.decode import EXTENSIONS

from .captions import SUFFIX
from .problems import Problem

IMAGES, CAPTIONS, METADATA = "Images", "ImageCaptions", "metadata.jsonl"

# What systems and programs leave behind. Hidden files are passed over anyway: .DS_Store, macOS'
# ._robot.png (which is no picture), .ipynb_checkpoints.
JUNK = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"})
# Pictures to a person, but not to Pillow.
UNREADABLE = frozenset(
    {".heic", ".heif", ".avif", ".jxl", ".svg", ".psd", ".raw", ".dng", ".cr2", ".nef"}
)

Layout = Literal["images", "metadata", "sidecars", "pictures"]


class Picture(NamedTuple):
    """One picture and what belongs to it."""

    path: Path
    caption: str
    caption_at: str  # "robot.txt" or "metadata.jsonl:3"; "" when it has none


class PictureSet(NamedTuple):
    """What a folder holds; pictures are sorted by name, as a listing has no order."""

    folder: Path
    layout: Layout
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...]


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder that people put there, sorted by name.

    Raises:
        DataSetError: There is no such folder.
    """
    if not folder.is_dir():
        raise DataSetError(
            f"There is no folder {folder}.", where=str(folder), fix="Put your pictures there."
        )
    paths = [path for path in folder.iterdir() if not is_junk(path) and path.is_file()]
    return sorted(paths, key=lambda path: path.name)


def is_junk(path: Path) -> bool:
    """Tell whether a system, an editor or an archiver left this file or folder behind."""
    return path.name[0] == "." or path.name.lower() in JUNK


def is_picture(path: Path) -> bool:
    """Tell whether a file's name is that of a picture."""
    return path.suffix.lower() in EXTENSIONS


def is_caption(path: Path) -> bool:
    """Tell whether a file's name is that of a caption."""
    return path.suffix.lower() == SUFFIX


def stem_key(path: Path) -> str:
    """Return a name without extension, such that names that look the same are the same.

    A Mac writes an "ü" as two characters and Windows takes A.txt for a.txt.
    """
    return unicodedata.normalize("NFC", path.stem).casefold()


def pictures_below(folder: Path) -> Iterator[Path]:
    """Yield the pictures of a folder and of the folders in it, sorted."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        junk = any(is_junk(Path(part)) for part in inside.parts)
        if is_picture(path) and not junk and path.is_file():
            yield path
