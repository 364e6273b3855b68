"""The commands that write: ``fix`` a folder into a copy, ``import`` a folder, a zip or a list."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from toolkit.core.errors import DataSetError, UsageError

from .examine import Progress
from .fair_copy import Copied, fair_copy
from .folder import METADATA, Picture, PictureSet, files_in, is_picture, pictures_below
from .layouts import read_folder
from .problems import shown


def run(parsed: argparse.Namespace, rest: list[str], progress: Progress) -> int:
    """Run one of the two commands and return the exit code."""
    source: Path = parsed.source
    if parsed.command == "import" and source.suffix.lower() == ".csv":
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
            return _copy(unpack(source, Path(folder)), parsed.out, parsed.caption, progress)
    if source.name == METADATA:
        source = source.parent
    if parsed.out.resolve().is_relative_to(source.resolve()):
        raise UsageError(
            f"{parsed.out} lies inside {source}.",
            fix="Name a folder beside it: nothing is fixed in place.",
        )
    return _copy(source, parsed.out, parsed.caption, progress)


def _from_csv(source: Path, out: Path, rest: list[str]) -> int:
    # Downloading is the scraper's business, with all its care.
    from toolkit.scrapers.cli import main

    return main(str(source), out, [str(source), "--provider", "csv", "--out", str(out), *rest])


def _copy(source: Path, out: Path, caption: str, progress: Progress) -> int:
    found = read_folder(source, trigger_word=caption)
    pictures = [*found.pictures] or _class_folders(source)
    there = {picture.path for picture in pictures}
    pictures += [
        Picture(problem.path, "", "")
        for problem in found.problems
        if problem.kind == "caption-missing" and problem.path not in there
    ]
    pictures = [
        picture if picture.caption else picture._replace(caption=caption) for picture in pictures
    ]
    nameless = [picture for picture in pictures if not picture.caption]
    pictures = [picture for picture in pictures if picture.caption]
    if not pictures:
        raise _nothing(found, nameless)
    copied = fair_copy(pictures, out, papers_from=source, progress=progress)
    copied += [Copied(p.path, "", ("it has no caption; --caption gives one",)) for p in nameless]
    print(_report(copied, source, out))
    return 0


def _class_folders(source: Path) -> list[Picture]:
    """Return the pictures of an imagefolder whose folders are the labels: cat/1.png, dog/2.png."""
    if any(is_picture(path) for path in files_in(source)):
        return []
    return [
        Picture(path, path.parent.name.replace("_", " ").replace("-", " "), path.parent.name)
        for path in pictures_below(source)
    ]


def _nothing(found: PictureSet, nameless: list[Picture]) -> DataSetError:
    if nameless:
        return DataSetError(
            f"None of the {len(nameless)} pictures has a caption.",
            where=str(found.folder),
            fix="--caption 'a sks robot' gives all of them one.",
        )
    problem = next(p for p in found.problems if p.severity == "error")
    return DataSetError(problem.message, where=str(problem.path), fix=problem.fix)


def _report(copied: list[Copied], source: Path, out: Path) -> str:
    kept = [one for one in copied if one.name]
    lines = [
        f"  {shown(one.source, source)} -> {one.name or 'left out'}: {'; '.join(one.notes)}"
        for one in copied
        if one.notes
    ]
    return "\n".join(
        [f"{len(kept)} of {len(copied)} pictures in {out}, {source} is as it was.", *lines]
    )
