"""Which picture has which caption, in the four layouts that people have.

    images    Images/robot.png  ImageCaptions/robot.txt    the layout of this hub
    metadata  robot.png         metadata.jsonl             Hugging Face's imagefolder
    sidecars  robot.png         robot.txt                  what kohya and most trainers read
    pictures  robot.png                                    no captions; needs a trigger word

Nothing is decoded here, and what is wrong inside a folder becomes a Problem instead of an
exception, so that all of it can be told at once.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from harness.errors import DataSetError

from .captions import SUFFIX, read_caption
from .decode import EXTENSIONS
from .problems import Problem, shown

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
    """What a folder holds; the pictures are sorted by name, as listing order is anybody's guess."""

    folder: Path
    layout: Layout
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...]


def read_folder(data_dir: Path, trigger_word: str = "") -> PictureSet:
    """Find out a folder's layout and read it.

    Args:
        data_dir: In any of the four layouts.
        trigger_word: Pictures without any captions are an error unless there is one.

    Raises:
        DataSetError: There is no such folder.
    """
    from .metadata import read_metadata

    files = files_in(data_dir)
    images, captions = data_dir / IMAGES, data_dir / CAPTIONS
    if images.is_dir() and captions.is_dir():
        return read_pairs(images, captions, data_dir, "images")
    if (data_dir / METADATA).is_file():
        return read_metadata(data_dir)
    stems = {stem_key(path) for path in files if is_caption(path)}
    if any(is_picture(path) and stem_key(path) in stems for path in files):
        return read_pairs(data_dir, data_dir, data_dir, "sidecars")
    found = read_pairs(images if images.is_dir() else data_dir, None, data_dir, "pictures")
    if found.pictures and not trigger_word:
        return found._replace(problems=(*found.problems, no_captions(found)))
    return found


def read_pairs(img_dir: Path, caption_dir: Path | None, folder: Path, layout: Layout) -> PictureSet:
    """Read pictures and caption files that belong together by their stems.

    Args:
        img_dir: Where the pictures are.
        caption_dir: Where ``<stem>.txt`` are; None for pictures without captions.
        folder: What people know the set by.
        layout: What it is called.

    Raises:
        DataSetError: There is no folder ``img_dir``.
    """
    files = files_in(img_dir)
    paths = [path for path in files if is_picture(path)]
    problems = [*unused(img_dir, files, paths, folder)]
    if caption_dir is None:
        pictures = [Picture(path, "", "") for path in paths]
        return PictureSet(folder, layout, tuple(pictures), tuple(problems))

    problems += clashes(paths, folder)
    there = files_in(caption_dir) if caption_dir.is_dir() else []
    captions = {stem_key(path): path for path in there if is_caption(path)}
    pictures = []
    for path in paths:
        source = captions.get(stem_key(path))
        if source is None:
            problems.append(caption_missing(path, caption_dir, folder))
            pictures.append(Picture(path, "", ""))  # so that it is looked at all the same
            continue
        try:
            pictures.append(Picture(path, read_caption(source), shown(source, folder)))
        except DataSetError as error:
            fix = error.fix or ""
            problems.append(Problem("error", "caption-unreadable", source, error.what, fix))
            pictures.append(Picture(path, "", ""))
    stems = {stem_key(path) for path in paths}
    problems += [orphan(path, folder) for key, path in captions.items() if key not in stems]
    return PictureSet(folder, layout, tuple(pictures), tuple(problems))


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


# --- what can be wrong ---------------------------------------------------------------------------


def unused(
    img_dir: Path, files: Sequence[Path], paths: Sequence[Path], folder: Path
) -> Iterator[Problem]:
    """Yield what is said about pictures that are not used, and about a folder without any."""
    for path in files:
        if path.suffix.lower() in UNREADABLE:
            yield Problem(
                "hint",
                "format-unknown",
                path,
                f"{shown(path, folder)} is not used: {path.suffix} files cannot be read here.",
                "Save it as JPEG or PNG.",
            )
    deeper: defaultdict[Path, int] = defaultdict(int)
    for path in pictures_below(img_dir):
        if path.parent != img_dir:
            deeper[path.parent] += 1
    for below, count in deeper.items():
        if paths:
            yield Problem(
                "hint",
                "nested",
                below,
                f"{count} pictures in {shown(below, folder)} are not used.",
                f"Move them to {shown(img_dir, folder)}, or take them out.",
            )
    if not paths:
        likely = max(deeper, key=lambda path: deeper[path], default=None)
        yield Problem(
            "error",
            "no-pictures",
            img_dir,
            f"{img_dir} holds no pictures ({', '.join(EXTENSIONS)}).",
            f"There are some in {likely}: name that folder."
            if likely
            else "Put your pictures there.",
        )


def clashes(paths: Sequence[Path], folder: Path) -> Iterator[Problem]:
    """Yield pictures that would share one caption file."""
    groups: defaultdict[str, list[Path]] = defaultdict(list)
    for path in paths:
        groups[stem_key(path)].append(path)
    for first, *others in groups.values():
        if others:
            names = ", ".join(shown(path, folder) for path in (first, *others))
            yield Problem(
                "error",
                "same-stem",
                first,
                f"{names} would share one caption.",
                "Give each its own name, or take the copies out.",
                others=tuple(others),
            )


def no_captions(found: PictureSet) -> Problem:
    """Return the problem of a folder with pictures only."""
    name = found.pictures[0].path.stem
    return Problem(
        "error",
        "captions-none",
        found.folder,
        f"{found.folder} has pictures but no captions.",
        f"Write {name}{SUFFIX} beside the first picture and so on, or give a trigger word "
        '([settings.dataset] trigger_word = "sks robot") that becomes the caption of all of them.',
    )


def caption_missing(path: Path, caption_dir: Path, folder: Path) -> Problem:
    """Return the problem of a picture without a caption file."""
    wanted = caption_dir / f"{path.stem}{SUFFIX}"
    return Problem(
        "error",
        "caption-missing",
        path,
        f"{shown(path, folder)} has no caption {shown(wanted, folder)}.",
        "Write one line about the picture into it.",
    )


def orphan(path: Path, folder: Path) -> Problem:
    """Return the problem of a caption file without a picture."""
    return Problem(
        "hint",
        "orphan",
        path,
        f"{shown(path, folder)} belongs to no picture.",
        "Rename it after its picture, or take it out.",
    )
