"""Sets of pictures, each a folder of copies with captions beside them, and what is wrong with each.

A person's own files are read and never written.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from toolkit.core import atomic
from toolkit.core.errors import UsageError
from toolkit.images.decode import EXTENSIONS

from .captions import SUFFIX, one_line
from .fair_copy import fair_copy, safe_stem, unique
from .layouts import read_folder
from .page import data_url
from .preflight import Report, check_folder
from .problems import Problem
from .unpack import unpack

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
THUMBNAIL_PX = 192


class Card(NamedTuple):
    """One picture on the page."""

    name: str
    image: str  # a data URL, "" if the picture cannot be read
    caption: str
    size: str
    problems: tuple[Problem, ...]


class PictureSets:
    """Sets below one folder.

    Args:
        folder: Holds one folder for each set; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Return the sets that there are."""
        return sorted(path.name for path in self._folder.glob("*") if NAME.fullmatch(path.name))

    def folder(self, name: str) -> Path:
        """Return the folder of a set.

        Raises:
            UsageError: There is none.
        """
        folder = self._folder / name
        if not NAME.fullmatch(name) or not folder.is_dir():
            raise UsageError(f"There is no set {name[:40]!r}.", fix="Look at the list of sets.")
        return folder

    def create(self, name: str) -> str:
        """Make an empty set; return its name, which is the one given without odd characters.

        Raises:
            UsageError: There is one already.
        """
        safe = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:40] or "pictures"
        try:
            (self._folder / safe).mkdir(parents=True)
        except FileExistsError as error:
            raise UsageError(
                f"There is a set {safe} already.", fix="Open it, or take another name."
            ) from error
        return safe

    def add(self, name: str, file_name: str, source: BinaryIO) -> None:
        """Copy one dropped file into a set: a picture, or the caption of one.

        Raises:
            UsageError: It is neither.
        """
        folder = self.folder(name)
        path = PurePosixPath(file_name.replace("\\", "/"))
        suffix = path.suffix.lower()
        if suffix not in {*EXTENSIONS, SUFFIX}:
            raise UsageError(
                f"{path.name} is neither a picture nor a caption (.txt).",
                fix="Drop PNG, JPEG or WebP files.",
            )
        stem = safe_stem(path.stem)
        if suffix != SUFFIX:
            stem = unique(stem, {other.stem.casefold() for other in pictures_in(folder)})
        with atomic.replacing(folder / f"{stem}{suffix}") as temporary, temporary.open("wb") as out:
            shutil.copyfileobj(source, out)

    def take_in(self, name: str, source: Path) -> int:
        """Copy the pictures and captions of a folder or a zip into a set; return how many.

        Raises:
            HubError: There is nothing of that name, or no picture in it.
        """
        if source.suffix.lower() == ".zip":
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=".unpacked-") as place:
                return self.take_in(name, unpack(source, Path(place)))
        folder = self.folder(name)
        found = read_folder(source.expanduser())
        if not found.pictures:
            raise UsageError("There are no pictures in this folder.", where=str(source))
        taken = {other.stem.casefold() for other in pictures_in(folder)}
        for picture in found.pictures:
            stem = unique(safe_stem(picture.path.stem), taken)
            target = folder / f"{stem}{picture.path.suffix.lower()}"
            with atomic.replacing(target) as temporary:  # a full disk leaves no half picture
                shutil.copyfile(picture.path, temporary)
            if picture.caption_at:
                atomic.write_text(folder / f"{stem}{SUFFIX}", f"{picture.caption}\n")
        return len(found.pictures)

    def write_caption(self, name: str, picture: str, caption: str, seen: str | None = None) -> None:
        """Save a caption beside its picture.

        Args:
            name: Of the set.
            picture: File name.
            caption: Becomes one line.
            seen: The caption that was there when this one was typed; None does not ask.

        Raises:
            UsageError: The set has no such picture, or another caption by now.
        """
        path = self._picture(name, picture)
        file = path.with_suffix(SUFFIX)
        if seen is not None and file.is_file():
            now = one_line(file.read_text(encoding="utf-8", errors="replace"))
            if now not in (one_line(seen), one_line(caption)):
                raise UsageError(
                    f"Meanwhile another window wrote: {now!r}. Yours is not saved.",
                    fix="Press Save once more to have yours.",
                )
        atomic.write_text(file, f"{one_line(caption)}\n")

    def remove(self, name: str, picture: str) -> None:
        """Take a copy and its caption out of a set.

        Raises:
            UsageError: The set has no such picture.
        """
        path = self._picture(name, picture)
        path.with_suffix(SUFFIX).unlink(missing_ok=True)
        path.unlink()

    def mend(self, name: str) -> str:
        """Make a clean copy of a set; return its name.

        Raises:
            HubError: Nothing is left of it, or there is a copy already.
        """
        folder = self.folder(name)
        new = f"{name[:34]}-clean"
        if (self._folder / new).exists():
            raise UsageError(f"There is a set {new} already.", fix="Open that one.")
        found = read_folder(folder, trigger_word=name)  # captions may come later
        fair_copy(found.pictures, self._folder / f".{new}")
        target = self.create(new)
        self.take_in(target, self._folder / f".{new}")
        shutil.rmtree(self._folder / f".{new}")
        return target

    def report(self, name: str, resolution: int) -> Report:
        """Examine a set.

        Args:
            name: Of the set.
            resolution: What training will use, in pixels.
        """
        return check_folder(self.folder(name), resolution, thumbnail_px=THUMBNAIL_PX)

    def _picture(self, name: str, picture: str) -> Path:
        for path in pictures_in(self.folder(name)):
            if path.name == picture:
                return path
        raise UsageError(f"The set {name} has no picture {picture[:80]!r}.", fix="Load the page.")


def pictures_in(folder: Path) -> list[Path]:
    """Return the picture files of a set."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in EXTENSIONS)


def cards(report: Report) -> list[Card]:
    """Return a card for each picture, by name, those that cannot be read among them."""
    problems: defaultdict[Path, list[Problem]] = defaultdict(list)
    for problem in report.problems:
        for path in (problem.path, *problem.others):
            problems[path].append(problem)
    facts = {each.picture.path: each for each in report.facts}
    captions = {picture.path: picture.caption for picture in report.found.pictures}
    return [
        Card(
            path.name,
            data_url(facts[path]) if path in facts else "",
            captions.get(path, ""),
            "{0.width} x {0.height} px".format(facts[path].header) if path in facts else "",
            tuple(problems[path]),
        )
        for path in pictures_in(report.found.folder)
    ]


def about_all(report: Report) -> list[Problem]:
    """Return the problems that belong to no single picture."""
    paths = set(pictures_in(report.found.folder))
    return [problem for problem in report.problems if problem.path not in paths]
