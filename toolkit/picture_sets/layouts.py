"""Which picture has which caption, in the four layouts.

    images    Images/robot.png  ImageCaptions/robot.txt    the layout of this hub
    metadata  robot.png         metadata.jsonl             Hugging Face's imagefolder
    sidecars  robot.png         robot.txt                  what kohya and most trainers read
    pictures  robot.png                                    no captions; needs a trigger word

Nothing is decoded here, and what is wrong inside a folder becomes a Problem instead of an
exception, so that all of it can be told at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from toolkit.core.errors import DataSetError
from toolkit.images.decode import EXTENSIONS

from .captions import SUFFIX, read_caption
from .folder import (
    CAPTIONS,
    IMAGES,
    METADATA,
    UNREADABLE,
    Layout,
    Picture,
    PictureSet,
    files_in,
    is_caption,
    is_picture,
    pictures_below,
    stem_key,
)
from .metadata import read_metadata
from .problems import Problem, as_problem, shown


def read_folder(data_dir: Path, trigger_word: str = "") -> PictureSet:
    """Find out a folder's layout and read it.

    Args:
        data_dir: In any of the four layouts.
        trigger_word: Pictures without any captions are an error unless there is one.

    Raises:
        DataSetError: There is no such folder.
    """
    images, captions = data_dir / IMAGES, data_dir / CAPTIONS
    if images.is_dir() and captions.is_dir():
        return read_pairs(images, captions, data_dir, "images")
    if (data_dir / METADATA).is_file():
        return read_metadata(data_dir)
    home = images if images.is_dir() else data_dir
    files = files_in(home)
    stems = {stem_key(path) for path in files if is_caption(path)}
    if any(is_picture(path) and stem_key(path) in stems for path in files):
        return read_pairs(home, home, data_dir, "sidecars")
    found = read_pairs(home, None, data_dir, "pictures")
    if found.pictures and not trigger_word:
        caption = f"{found.pictures[0].path.stem}{SUFFIX}"
        none = as_problem("captions-none", data_dir, folder=data_dir, caption=caption)
        return found._replace(problems=(*found.problems, none))
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
            wanted = f"caption {shown(caption_dir / f'{path.stem}{SUFFIX}', folder)}"
            name = shown(path, folder)
            problems.append(as_problem("caption-missing", path, name=name, wanted=wanted))
            pictures.append(Picture(path, "", ""))  # so that it is looked at all the same
            continue
        try:
            pictures.append(Picture(path, read_caption(source), shown(source, folder)))
        except DataSetError as error:
            fault = as_problem("caption-unreadable", source, what=error.what, fix=error.fix)
            problems.append(fault)
            pictures.append(Picture(path, "", ""))
    stems = {stem_key(path) for path in paths}
    problems += [
        as_problem("orphan", path, name=shown(path, folder))
        for key, path in captions.items()
        if key not in stems
    ]
    return PictureSet(folder, layout, tuple(pictures), tuple(problems))


def unused(
    img_dir: Path, files: Sequence[Path], paths: Sequence[Path], folder: Path
) -> Iterator[Problem]:
    """Yield what is said about pictures that are not used, and about a folder without any."""
    for path in files:
        if path.suffix.lower() in UNREADABLE:
            name = shown(path, folder)
            yield as_problem("format-unknown", path, name=name, suffix=path.suffix)
    deeper = Counter(path.parent for path in pictures_below(img_dir) if path.parent != img_dir)
    if paths:
        home = shown(img_dir, folder)
        for below, count in deeper.items():
            yield as_problem("nested", below, count=count, name=shown(below, folder), home=home)
        return
    likely = max(deeper, key=lambda path: deeper[path], default=None)
    fix = f"There are some in {likely}: name that folder." if likely else None
    yield as_problem(
        "no-pictures", img_dir, folder=img_dir, extensions=", ".join(EXTENSIONS), fix=fix
    )


def clashes(paths: Sequence[Path], folder: Path) -> Iterator[Problem]:
    """Yield pictures that would share one caption file."""
    groups: defaultdict[str, list[Path]] = defaultdict(list)
    for path in paths:
        groups[stem_key(path)].append(path)
    for first, *others in groups.values():
        if others:
            names = ", ".join(shown(path, folder) for path in (first, *others))
            yield as_problem("same-stem", first, names=names, others=tuple(others))
