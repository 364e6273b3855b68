"""The commands that write: ``fix`` a folder into a copy, ``import`` a folder, a zip or a list."""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from toolkit.core.errors import DataSetError, UsageError
from toolkit.core.idle import refuse_idle

from .examine import Progress
from .fair_copy import Copied, fair_copy
from .folder import CAPTION_FOLDERS, PICTURE_FOLDERS, PictureSet, is_list
from .layouts import read_folder
from .problems import refuse_errors, shown

# Faults of a list: which picture has which caption is not known until they are mended.
LISTS = ("metadata-line", "metadata-twice")
# Whose caption that is, or what it says, is not known.
UNREAD = ("caption-unreadable", "same-stem")
# What the copy itself answers, picture by picture.
ANSWERED = (*LISTS, "captions-none", "caption-missing", "repeats", "caption-empty")
# Folders whose names are no label of what they hold.
NO_LABELS = CAPTION_FOLDERS | PICTURE_FOLDERS | {"train", "dcim", "camera", "dataset", "data"}


def run(parsed: argparse.Namespace, rest: list[str], progress: Progress) -> int:
    """Run one of the two commands and return the exit code."""
    source: Path = parsed.source
    if parsed.command == "import" and source.suffix.lower() == ".csv" and not is_list(source):
        idle = "--caption: a list of addresses has a caption in each line"
        refuse_idle({idle: bool(parsed.caption)})
        return _from_csv(source, parsed.out, rest)
    if rest:
        raise UsageError(f"There is no option {rest[0]} here.", fix="See --help.")
    if parsed.command == "import" and source.suffix.lower() == ".zip":
        from .unpack import unpack

        if not source.is_file():
            raise UsageError(f"There is no file {source}.", fix="Check the name.")
        # Beside the result: the same disk, which has to have room for the pictures anyway.
        parsed.out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parsed.out.parent, prefix=".unpacked-") as folder:
            inside = unpack(source, Path(folder))
            return _copy(inside, parsed.out, parsed.caption, progress, source)
    if source.is_file() and is_list(source):
        source = source.parent
    if parsed.out.resolve().is_relative_to(source.resolve()):
        raise UsageError(
            f"{parsed.out} lies inside {source}.",
            fix="Name a folder beside it: nothing is fixed in place.",
        )
    return _copy(source, parsed.out, parsed.caption, progress, source)


def _from_csv(source: Path, out: Path, rest: list[str]) -> int:
    # Downloading is the scraper's business, with all its care.
    from toolkit.scrapers.cli import main

    return main(str(source), out, [str(source), "--provider", "csv", "--out", str(out), *rest])


def _copy(source: Path, out: Path, caption: str, progress: Progress, name: Path) -> int:
    found = read_folder(source, trigger_word=caption)
    refuse_errors([p for p in found.problems if p.kind in LISTS], name)
    unread = {
        path: p.message for p in found.problems if p.kind in UNREAD for path in (p.path, *p.others)
    }
    labels = {} if caption or found.layout != "pictures" else _labels(found, source)
    kept, left_out = [], []
    for picture in found.pictures:
        own = picture.caption or caption or labels.get(picture.path, "")
        if picture.path in unread or not own:
            why = unread.get(picture.path, "it has no caption; --caption gives one")
            left_out.append(Copied(picture.path, "", (why,)))
        else:
            kept.append(picture._replace(caption=own))
    if not kept:
        raise _nothing(found, left_out)
    copied = fair_copy(kept, out, papers_from=source, progress=progress)
    copied = [
        one._replace(notes=(*one.notes, f"caption from its folder: {labels[one.source]}"))
        if one.source in labels
        else one
        for one in copied
    ]
    print(_report([*copied, *left_out], source, out, name))
    for problem in found.problems:
        if problem.kind not in (*UNREAD, *ANSWERED):
            print(f"  {problem.message}")
    return 0


def _labels(found: PictureSet, source: Path) -> dict[Path, str]:
    """Return what the folders of an imagefolder by label say: cat/1.png, red_panda/2.png.

    Dated folders, those of cameras (100CANON) and those called "images" say nothing.
    """
    labels = {}
    for picture in found.pictures:
        place = picture.path.parent
        name = " ".join(re.split(r"[_\s-]+", place.name)).strip()
        if place != source and not re.search(r"\d", name) and name.lower() not in NO_LABELS:
            labels[picture.path] = name
    return labels


def _nothing(found: PictureSet, left_out: list[Copied]) -> DataSetError:
    errors = [p for p in found.problems if p.severity == "error" and p.kind not in ANSWERED]
    if errors or not left_out:
        problem = errors[0] if errors else found.problems[0]
        return DataSetError(problem.message, where=str(problem.path), fix=problem.fix)
    return DataSetError(
        f"None of the {len(left_out)} pictures has a caption.",
        where=str(found.folder),
        fix="--caption 'a sks robot' gives all of them one.",
    )


def _report(copied: list[Copied], source: Path, out: Path, name: Path) -> str:
    kept = [one for one in copied if one.name]
    lines = [
        f"  {shown(one.source, source)} -> {one.name or 'left out'}: {'; '.join(one.notes)}"
        for one in copied
        if one.notes
    ]
    return "\n".join(
        [f"{len(kept)} of {len(copied)} pictures in {out}, {name} is as it was.", *lines]
    )
