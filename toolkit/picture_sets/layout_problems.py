"""The problems of a folder's layout, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolkit.images.decode import EXTENSIONS

from .captions import SUFFIX
from .folder import UNREADABLE, PictureSet, pictures_below, stem_key
from .problems import Problem, shown


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
