"""Which picture has which caption, in the layouts that people have.

    images    Images/robot.png  ImageCaptions/robot.txt    this hub; also images/, captions/
    metadata  robot.png         metadata.jsonl             Hugging Face's imagefolder; also .csv ...
    sidecars  robot.png         robot.txt                  what kohya and most trainers read
    folders   10_robot/1.png                               kohya's: the folder is the caption
    pictures  robot.png                                    no captions; needs a trigger word

The pictures of a folder are those in it (in Images/, if it has that); if there are none, those in
its folders. Nothing is decoded here, and what is wrong inside a folder becomes a Problem instead of
an exception, so that all of it can be told at once.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from toolkit.core.errors import DataSetError
from toolkit.images.decode import EXTENSIONS

from .captions import SUFFIX, read_caption
from .folder import (
    CAPTION_ENDINGS,
    CAPTION_FOLDERS,
    CAPTIONS,
    IMAGES,
    PICTURE_FOLDERS,
    Layout,
    Picture,
    PictureSet,
    Tree,
    below,
    left_aside,
    name_key,
    scan,
)
from .metadata import Line, read_lists
from .problems import Problem, as_problem, shown

# kohya's folders: how often its pictures count, and what they show.
REPEATS = re.compile(r"(\d+)_(.+)")


def read_folder(data_dir: Path, trigger_word: str = "") -> PictureSet:
    """Find out a folder's layout and read it.

    Args:
        data_dir: In any of the layouts.
        trigger_word: Pictures without any captions are an error unless there is one.

    Raises:
        DataSetError: There is no such folder.
    """
    tree = scan(data_dir)
    problems = tree.problems
    lines = read_lists(tree.lists, tree.pictures, data_dir, problems)
    home = data_dir / IMAGES
    if not any(home in path.parents for path in tree.pictures):
        home = data_dir
    paths = used(tree, home, lines)
    problems += unused(tree, set(paths), home, data_dir)
    files = matches(paths, tree.captions, data_dir)
    problems += taken_captions(tree, files, data_dir)
    if not files and not lines and not tree.lists:
        problems += orphans(tree, data_dir)
        return without_captions(data_dir, paths, problems, trigger_word)
    layout: Layout = "sidecars" if files else "metadata"
    if home != data_dir and (data_dir / CAPTIONS).is_dir():
        layout = "images"
    found = captioned(data_dir, layout, paths, files, lines, problems)
    return found._replace(problems=(*found.problems, *orphans(tree, data_dir)))


def read_pairs(img_dir: Path, caption_dir: Path | None, folder: Path, layout: Layout) -> PictureSet:
    """Read pictures and caption files of two folders, which belong together by their names.

    Args:
        img_dir: Where the pictures are.
        caption_dir: Where ``<stem>.txt`` are; None for pictures without captions.
        folder: What people know the set by.
        layout: What it is called.

    Raises:
        DataSetError: There is no folder ``img_dir``.
    """
    tree = scan(img_dir, deep=False)
    problems = [*tree.problems, *unused(scan(img_dir), set(tree.pictures), img_dir, folder)]
    if caption_dir is None:
        bare = [Picture(path, "", "") for path in tree.pictures]
        return PictureSet(folder, layout, tuple(bare), tuple(problems))
    captions = scan(caption_dir, deep=False).captions if caption_dir.is_dir() else []
    names: defaultdict[str, list[Path]] = defaultdict(list)
    for path in captions:
        names[name_key(path.stem)].append(path)
    files = {path: found for path in tree.pictures if (found := by_name(path, names))}
    stems = {key for path in tree.pictures for key in keys_of(path)}
    lost = [
        as_problem("orphan", path, name=shown(path, folder))
        for path in captions
        if name_key(path.stem) not in stems
    ]
    read = captioned(folder, layout, tree.pictures, files, {}, problems, caption_dir)
    return read._replace(problems=(*read.problems, *lost))


# --- which pictures -----------------------------------------------------------------------------


def used(tree: Tree, home: Path, lines: dict[Path, Line]) -> list[Path]:
    """Return the pictures that a set consists of, sorted."""
    aside = [*left_aside(home)]
    here = [path for path in tree.pictures if path.parent == home]
    deep = [path for path in tree.pictures if home in path.parents and not below(path, aside)]
    listed = {source.parent for source in tree.lists}  # a list speaks for its whole folder
    chosen = {*(here or deep), *lines}
    chosen |= {path for path in tree.pictures if below(path, listed) and not below(path, aside)}
    return sorted(chosen, key=lambda path: path.relative_to(home) if home in path.parents else path)


def unused(tree: Tree, paths: set[Path], home: Path, folder: Path) -> Iterator[Problem]:
    """Yield what is said about pictures that are not used, and about a folder without any."""
    deeper = Counter(path.parent for path in tree.pictures if path not in paths)
    for place, count in deeper.items():
        name = shown(place, folder)
        yield as_problem("nested", place, count=count, name=name, home=shown(home, folder))
    if paths:
        return
    if not tree.lists or deeper:
        likely = max(deeper, key=lambda path: deeper[path], default=None)
        fix = f"There are some in {likely}: name that folder." if likely else None
        extensions = ", ".join(EXTENSIONS)
        yield as_problem("no-pictures", home, folder=home, extensions=extensions, fix=fix)
    else:
        message = f"{tree.lists[0]} lists no pictures."
        yield Problem("error", "no-pictures", tree.lists[0], message, "Add a line for each.")


# --- which caption ------------------------------------------------------------------------------


def keys_of(path: Path) -> tuple[str, str]:
    """Return the names that a picture's captions may have: ``robot.png.txt``, ``robot.txt``."""
    return name_key(path.name), name_key(path.stem)


def by_name(path: Path, names: dict[str, list[Path]]) -> list[Path]:
    """Return the caption files of a picture, the one that counts first."""
    found = [file for key in keys_of(path) for file in names.get(key, [])]
    return sorted(dict.fromkeys(found), key=lambda file: CAPTION_ENDINGS.index(file.suffix.lower()))


def matches(
    pictures: Sequence[Path], captions: Sequence[Path], folder: Path
) -> dict[Path, list[Path]]:
    """Return the caption files of each picture that has any, the one that counts first.

    They lie in a folder of captions beside the folder of pictures, or beside the picture.
    """
    beside: defaultdict[Path, defaultdict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    apart: defaultdict[PurePath, defaultdict[str, list[Path]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for path in captions:
        beside[path.parent][name_key(path.stem)].append(path)
        place = place_without(path, folder, CAPTION_FOLDERS)
        if place != path.parent.relative_to(folder):
            apart[place][name_key(path.stem)].append(path)
    found = {}
    for path in pictures:
        place = place_without(path, folder, PICTURE_FOLDERS)
        files = by_name(path, apart[place]) + by_name(path, beside[path.parent])
        if files:
            found[path] = list(dict.fromkeys(files))
    return found


def place_without(path: Path, folder: Path, names: frozenset[str]) -> PurePath:
    """Return the folder of a file, without the parts that are called so."""
    parts = path.parent.relative_to(folder).parts
    return PurePath(*(part for part in parts if part.lower() not in names))


def orphans(tree: Tree, folder: Path) -> Iterator[Problem]:
    """Yield the captions that belong to no picture, whether that is used or not."""
    owned = {
        file for files in matches(tree.pictures, tree.captions, folder).values() for file in files
    }
    for path in tree.captions:
        if path not in owned:
            yield as_problem("orphan", path, name=shown(path, folder))


def taken_captions(tree: Tree, files: dict[Path, list[Path]], folder: Path) -> Iterator[Problem]:
    """Yield pictures that are not used and whose caption goes with a namesake that is."""
    owners = {found[0]: path for path, found in files.items()}
    rest = [path for path in tree.pictures if path not in files]
    for path, found in matches(rest, tree.captions, folder).items():
        if found[0] in owners:
            names: dict[str, Any] = {
                "name": shown(path, folder),
                "caption": shown(found[0], folder),
                "other": shown(owners[found[0]], folder),
            }
            yield as_problem("caption-shared", path, others=(owners[found[0]],), **names)


def captioned(
    folder: Path,
    layout: Layout,
    paths: Sequence[Path],
    files: dict[Path, list[Path]],
    lines: dict[Path, Line],
    problems: list[Problem],
    caption_dir: Path | None = None,
) -> PictureSet:
    """Give each picture its caption; what is missing, unreadable or there twice is a problem."""
    problems += clashes(paths, files, folder)
    pictures = []
    for path in paths:
        told: list[Line] = []
        unread = False
        for file in files.get(path, []):
            try:
                told.append(Line(read_caption(file), shown(file, folder)))
            except DataSetError as error:
                unread = True
                told_of: dict[str, Any] = {"what": error.what, "fix": error.fix, "others": (path,)}
                problems.append(as_problem("caption-unreadable", file, **told_of))
        told += [lines[path]] if path in lines else []
        name = shown(path, folder)
        if unread or not told:
            if not unread:
                wanted = wanted_for(path, layout, folder, caption_dir)
                problems.append(as_problem("caption-missing", path, name=name, **wanted))
            pictures.append(Picture(path, "", ""))  # so that it is looked at all the same
            continue
        first = told[0]
        problems += [
            as_problem("caption-other", path, name=name, other=other.at, used=first.at)
            for other in told[1:]
            if other.caption != first.caption
        ]
        pictures.append(Picture(path, first.caption, first.at))
    return PictureSet(folder, layout, tuple(pictures), tuple(problems))


def wanted_for(
    path: Path, layout: Layout, folder: Path, caption_dir: Path | None
) -> dict[str, Any]:
    """Return the words about a caption that is missing, as the others of the folder have theirs."""
    if layout == "metadata":
        return {
            "wanted": "line in the list of captions",
            "fix": "Add one, or take the picture out.",
        }
    place = caption_dir or (folder / CAPTIONS if layout == "images" else path.parent)
    return {"wanted": f"caption {shown(place / f'{path.stem}{SUFFIX}', folder)}"}


def clashes(
    paths: Sequence[Path], files: dict[Path, list[Path]], folder: Path
) -> Iterator[Problem]:
    """Yield pictures that share one caption file."""
    groups: defaultdict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        for file in files.get(path, [])[:1]:
            groups[file].append(path)
    for first, *others in groups.values():
        if others:
            names = ", ".join(shown(path, folder) for path in (first, *others))
            yield as_problem("same-stem", first, names=names, others=tuple(others))


def without_captions(
    folder: Path, paths: list[Path], problems: list[Problem], trigger_word: str
) -> PictureSet:
    """Read a folder without captions: kohya's folders say what is in them, or the trigger word."""
    named = {path: REPEATS.fullmatch(path.parent.name) for path in paths}
    if paths and all(named.values()) and not trigger_word:
        counts = {path.parent: match for path, match in named.items() if match}
        pictures = [
            Picture(path, match[2].strip(), f"{shown(path.parent, folder)}/")
            for path, match in named.items()
            if match
        ]
        problems += [
            as_problem("repeats", place, name=shown(place, folder), count=int(match[1]))
            for place, match in counts.items()
            if int(match[1]) > 1
        ]
        return PictureSet(folder, "folders", tuple(pictures), tuple(problems))
    if paths and not trigger_word:
        caption = f"{paths[0].stem}{SUFFIX}"
        problems.append(as_problem("captions-none", folder, folder=folder, caption=caption))
    bare = [Picture(path, "", "") for path in paths]
    return PictureSet(folder, "pictures", tuple(bare), tuple(problems))
