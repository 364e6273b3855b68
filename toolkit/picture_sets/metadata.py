"""metadata.jsonl: one JSON object per line, as Hugging Face's imagefolder has it.

``{"file_name": "robot.png", "text": "a sks robot on a table"}``
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from .captions import one_line
from .folder import METADATA, Picture, PictureSet, is_picture, pictures_below
from .problems import Problem, as_problem, shown

FILE_NAME = "file_name"
# The first of them that a line has is its caption.
TEXT_FIELDS = ("text", "caption", "prompt")


def read_metadata(data_dir: Path) -> PictureSet:
    """Read the pictures that a ``metadata.jsonl`` lists; it may name files in deeper folders."""
    source = data_dir / METADATA
    problems: list[Problem] = []
    pictures: dict[Path, Picture] = {}
    for number, text in enumerate(lines_of(source, problems), start=1):
        if not text.strip():
            continue
        try:
            path, caption = read_line(text, data_dir)
        except ValueError as error:
            problems.append(as_problem("metadata-line", source, line=number, what=error))
            continue
        if path in pictures:
            name, first = shown(path, data_dir), pictures[path].caption_at
            problems.append(
                as_problem("metadata-twice", source, line=number, name=name, first=first)
            )
            continue
        pictures[path] = Picture(path, caption, f"{METADATA}:{number}")
    for path in pictures_below(data_dir):
        if path not in pictures:
            name, wanted = shown(path, data_dir), f"line in {METADATA}"
            fix = "Add one, or take the picture out."
            problems.append(as_problem("caption-missing", path, name=name, wanted=wanted, fix=fix))
            pictures[path] = Picture(path, "", "")
    if not pictures and not problems:
        message = f"{source} lists no pictures."
        problems.append(Problem("error", "no-pictures", source, message, "Add a line for each."))
    found = sorted(pictures.values(), key=lambda picture: shown(picture.path, data_dir))
    return PictureSet(data_dir, "metadata", tuple(found), tuple(problems))


def lines_of(source: Path, problems: list[Problem]) -> Iterator[str]:
    """Yield the lines of a text file; one that is not UTF-8 is a problem and has no lines."""
    try:
        text = source.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        fix = "Save the file with the encoding UTF-8."
        problems.append(
            as_problem("metadata-line", source, line=line, what="is not UTF-8.", fix=fix)
        )
        return
    # Not splitlines(): it also splits at characters that JSON allows inside a text.
    yield from text.replace("\r\n", "\n").split("\n")


def read_line(text: str, data_dir: Path) -> tuple[Path, str]:
    """Return the picture and the caption of one line.

    Raises:
        ValueError: Something is wrong with it; the message goes on after the line's number.
    """
    try:
        entry: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error}.") from error
    if not isinstance(entry, dict):
        raise ValueError(f"is a {type(entry).__name__}, not an object.")
    name = entry.get(FILE_NAME)
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f'has no "{FILE_NAME}".')
    field = next((field for field in TEXT_FIELDS if field in entry), None)
    if field is None:
        raise ValueError(f'has no "{TEXT_FIELDS[0]}": {name} would have no caption.')
    caption = entry[field]
    if not isinstance(caption, str):
        raise ValueError(f'has a "{field}" that is not text.')
    return inside(name, data_dir), one_line(caption)


def inside(name: str, data_dir: Path) -> Path:
    """Return the file that a name means, which has to lie in the folder.

    Raises:
        ValueError: It lies elsewhere, is not there, or is no picture.
    """
    relative = PurePosixPath(name.replace("\\", "/"))
    path = data_dir / relative
    elsewhere = relative.is_absolute() or ".." in relative.parts
    if elsewhere or "\0" in name or re.match("[A-Za-z]:", name):
        raise ValueError(f"names {name!r}, which is outside the folder.")
    if not is_picture(path):
        raise ValueError(f"names {name!r}, which is no picture by its name.")
    try:
        there = path.is_file()
    except OSError:  # A name longer than the system allows.
        there = False
    if not there:
        raise ValueError(f"names {name!r}, which is not there.")
    if not path.resolve().is_relative_to(data_dir.resolve()):
        raise ValueError(f"names {name!r}, a link that leads outside the folder.")
    return path
