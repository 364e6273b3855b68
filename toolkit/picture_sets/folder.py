"""Find the files of a folder and sort them by kind: pictures, captions, lists, neither.

Nothing is passed over without a word but what systems and programs leave behind: what is not used
becomes a Problem that names it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from toolkit.core.errors import DataSetError
from toolkit.images.decode import EXTENSIONS, looks_like_picture

from .problems import Problem, as_problem, shown

IMAGES, CAPTIONS, METADATA = "Images", "ImageCaptions", "metadata.jsonl"

# Endings of caption files, by precedence: kohya's scripts write both.
CAPTION_ENDINGS = (".txt", ".caption")
# Lists of captions: Hugging Face's imagefolder, and what kohya's scripts write.
LIST_STEMS = ("metadata", "captions", "meta_cap", "meta_clean", "meta_lat")
LIST_ENDINGS = (".jsonl", ".csv", ".json", ".parquet")
# A folder of captions beside a folder of pictures, in small letters.
CAPTION_FOLDERS = frozenset({"imagecaptions", "captions", "caption", "texts", "txt"})
PICTURE_FOLDERS = frozenset({"images", "image", "img", "imgs", "pictures", "photos"})
# Not to be trained on: kohya's regularisation pictures, and the other splits beside "train".
REGULARISATION = frozenset({"reg", "regularization", "regularisation", "class_images"})
OTHER_SPLITS = frozenset({"test", "val", "valid", "validation"})

# What systems and programs leave behind. Hidden files are passed over anyway: .DS_Store, macOS'
# ._robot.png (which is no picture), .ipynb_checkpoints.
JUNK = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir"})
# What says where a set comes from: no picture, no caption, and a training does not miss it.
PAPERS = re.compile(r"(?i)^(readme|license|licence|notice|attribution)(\.\w+)?$|^sources\.jsonl$")
# Pictures to a person, but not to Pillow: phones, cameras, editors.
UNREADABLE = frozenset(
    (
        *(".heic", ".heif", ".hif", ".jxl", ".svg", ".psd", ".psb", ".xcf", ".kra", ".clip"),
        *(".exr", ".hdr", ".dds", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".srf"),
        *(".sr2", ".raf", ".orf", ".rw2", ".pef", ".srw", ".x3f", ".3fr", ".erf", ".kdc", ".mrw"),
        *(".dcr", ".rwl", ".iiq"),
    )
)

Layout = Literal["images", "metadata", "sidecars", "folders", "pictures"]


class Picture(NamedTuple):
    """One picture and what belongs to it."""

    path: Path
    caption: str
    caption_at: str  # "robot.txt", "metadata.jsonl:3" or "10_robot/"; "" when it has none


class PictureSet(NamedTuple):
    """What a folder holds; pictures are sorted by name, as a listing has no order."""

    folder: Path
    layout: Layout
    pictures: tuple[Picture, ...]
    problems: tuple[Problem, ...]


class Tree(NamedTuple):
    """The files of a folder and of all folders in it, sorted, and what is said about the rest."""

    pictures: list[Path]
    captions: list[Path]
    lists: list[Path]
    problems: list[Problem]


def scan(folder: Path, *, deep: bool = True) -> Tree:
    """Find and sort the files of a folder.

    Args:
        folder: Links to files in it are followed, links to folders are not.
        deep: Whether to look into its folders too.

    Raises:
        DataSetError: There is no such folder; for a zip, a list or a picture it says what to do.
    """
    if not folder.is_dir():
        raise no_folder(folder)
    tree = Tree([], [], [], [])
    others: list[Path] = []
    for here, folders, names in os.walk(folder, onerror=lambda e: tree.problems.append(closed(e))):
        kept = [name for name in sorted(folders) if not is_junk(Path(name))]
        for name in kept:
            if (Path(here) / name).is_symlink():
                link = Path(here) / name
                tree.problems.append(as_problem("link-folder", link, name=shown(link, folder)))
        folders[:] = kept if deep else []
        for name in sorted(names):
            sort_in(Path(here) / name, folder, tree, others)
    if others:
        names_of = ", ".join(shown(path, folder) for path in others[:5])
        names_of += f" and {len(others) - 5} more" if len(others) > 5 else ""
        tree.problems.append(
            as_problem("other-files", others[0], names=names_of, others=tuple(others[1:]))
        )
    return tree


def sort_in(path: Path, folder: Path, tree: Tree, others: list[Path]) -> None:
    """Put a file where it belongs in a tree; what is not used gets a problem."""
    name = shown(path, folder)
    if is_junk(path):
        if is_picture(path) and not path.name.startswith("._"):
            tree.problems.append(as_problem("hidden", path, name=name))
    elif not path.is_file():
        tree.problems.extend(not_there(path, name))
    elif is_caption(path):
        tree.captions.append(path)
    elif is_list(path):
        tree.lists.append(path)
    elif is_picture(path) or (not path.suffix and looks_like_picture(path)):
        tree.pictures.append(path)
    elif path.suffix.lower() in UNREADABLE or looks_like_picture(path):
        rename = "It is a picture by its content: give it that ending."
        fix = None if path.suffix.lower() in UNREADABLE else rename
        tree.problems.append(
            as_problem("format-unknown", path, fix=fix, name=name, suffix=path.suffix)
        )
    elif not PAPERS.match(path.name):
        others.append(path)


def not_there(path: Path, name: str) -> list[Problem]:
    """Return what is said about a link that leads nowhere, or about what is no file at all."""
    fault = f"{name} is no file that can be read."
    if path.is_symlink():
        fault = f"{name} is a link to {path.readlink()}, which is not there."
    if is_picture(path):
        return [as_problem("unreadable", path, what=fault)]
    if is_caption(path) or is_list(path):
        fix = "Put the file back, or take the link out."
        return [as_problem("caption-unreadable", path, what=fault, fix=fix)]
    return []


def closed(error: OSError) -> Problem:
    """Return the problem of a folder that cannot be listed."""
    path = Path(str(error.filename))
    return as_problem("unreadable", path, what=f"{path} cannot be opened: {error.strerror}.")


# Archives that nothing here unpacks, by the last part of their names.
ARCHIVES = frozenset({".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".cbr", ".cbz"})


def no_folder(path: Path) -> DataSetError:
    """Say what to do with what is no folder of pictures."""
    what, fix = f"There is no folder {path}.", "Put your pictures there."
    if path.is_file():
        what = f"{path} is a file, not a folder."
        fix = f"Name the folder it lies in: {path.parent}."
        if path.suffix.lower() in ARCHIVES:
            fix = "Unpack it and name the folder, or pack it as .zip, which `import` reads."
        if path.suffix.lower() in (".zip", *LIST_ENDINGS) and not is_list(path):
            fix = f"nox -s dataset -- import {path} --out FOLDER makes a folder of it."
    return DataSetError(what, where=str(path), fix=fix)


def is_junk(path: Path) -> bool:
    """Tell whether a system, an editor or an archiver left this file or folder behind."""
    return path.name[0] == "." or path.name.lower() in JUNK


def is_picture(path: Path) -> bool:
    """Tell whether a file's name is that of a picture."""
    return path.suffix.lower() in EXTENSIONS


def is_caption(path: Path) -> bool:
    """Tell whether a file's name is that of a caption."""
    return path.suffix.lower() in CAPTION_ENDINGS


def is_list(path: Path) -> bool:
    """Tell whether a file's name is that of a list of captions."""
    return path.stem.lower() in LIST_STEMS and path.suffix.lower() in LIST_ENDINGS


def name_key(name: str) -> str:
    """Return a name such that names that look the same are the same.

    A Mac writes an "ü" as two characters and Windows takes A.txt for a.txt.
    """
    return unicodedata.normalize("NFC", name).casefold()


def is_run(folder: Path) -> bool:
    """Tell whether a training has left its results here: its samples are not to be trained on."""
    return (folder / "plan.json").is_file() and (
        (folder / "log.jsonl").is_file() or any(folder.glob("job-*"))
    )


def left_aside(folder: Path) -> Iterator[Path]:
    """Yield the folders below one whose pictures are there for something else than training."""
    for path in sorted(path for path in folder.rglob("*") if path.is_dir()):
        name = path.name.lower()
        beside_train = name in OTHER_SPLITS and (path.parent / "train").is_dir()
        if name in REGULARISATION or beside_train or is_run(path):
            yield path


def below(path: Path, folders: Iterable[Path]) -> bool:
    """Tell whether a path lies in one of some folders."""
    return any(folder in path.parents for folder in folders)
