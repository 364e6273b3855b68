"""Lists of captions: metadata.jsonl and .csv of Hugging Face's imagefolder, kohya's meta_cap.json.

``{"file_name": "robot.png", "text": "a sks robot on a table"}``
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from .captions import one_line
from .folder import is_picture, name_key
from .problems import Problem, as_problem, shown

# The first of them that an entry has names its picture, and its caption.
NAME_FIELDS = ("file_name", "image", "filename", "file", "path")
TEXT_FIELDS = ("text", "caption", "prompt", "tags")


class Line(NamedTuple):
    """What a list says about one picture."""

    caption: str
    at: str  # "metadata.jsonl:3"


def read_lists(
    lists: list[Path], pictures: list[Path], folder: Path, problems: list[Problem]
) -> dict[Path, Line]:
    """Read all lists of a folder; each may name files in its own folder and in deeper ones.

    Args:
        lists: The files.
        pictures: All pictures below ``folder``: kohya's lists name them without ending.
        folder: What people know the set by.
        problems: Gets what is wrong, with the number of the line.
    """
    by_stem = {name_key(str(path.with_suffix(""))): path for path in pictures}
    found: dict[Path, Line] = {}
    for source in lists:
        name = shown(source, folder)
        for number, entry in entries_of(source, problems):
            try:
                path, caption = read_entry(entry, source.parent, by_stem)
            except ValueError as error:
                problems.append(fault(source, folder, number, str(error)))
                continue
            line = Line(caption, f"{name}:{number}")
            first = found.setdefault(path, line)
            if first is not line:
                known: dict[str, Any] = {
                    "name": shown(path, folder),
                    "first": first.at,
                    "file": name,
                }
                problems.append(as_problem("metadata-twice", source, line=number, **known))
    return found


def fault(source: Path, folder: Path, number: int, what: str, fix: str | None = None) -> Problem:
    """Return the problem of one entry of a list."""
    name = shown(source, folder)
    return as_problem("metadata-line", source, line=number, file=name, what=what, fix=fix)


def entries_of(source: Path, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """Yield the entries of a list with their numbers: lines from 1, or places in a JSON file.

    An entry of text is JSON that has not been read yet.
    """
    folder, suffix = source.parent, source.suffix.lower()
    if suffix == ".parquet":
        yield from rows_of(source, problems)
        return
    try:
        text = source.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        fix = "Save the file with the encoding UTF-8."
        problems.append(fault(source, folder, line, "is not UTF-8.", fix))
        return
    if suffix == ".csv":
        yield from table_of(text, source, problems)
    elif suffix == ".json":
        yield from objects_of(text, source, problems)
    else:
        # Not splitlines(): it also splits at characters that JSON allows inside a text.
        for number, entry in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
            if entry.strip():
                yield number, entry


def table_of(text: str, source: Path, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a table whose columns stand in its first line."""
    separator = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            yield reader.line_num, {k: v for k, v in row.items() if k and v is not None}
    except csv.Error as error:
        problems.append(fault(source, source.parent, reader.line_num, f"is no CSV: {error}."))


def objects_of(text: str, source: Path, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """Yield the objects of a JSON list, or what an object says under each picture's name."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        problems.append(fault(source, source.parent, 1, f"is not JSON: {error}."))
        return
    if isinstance(content, dict):
        content = [
            {NAME_FIELDS[0]: name, **(told if isinstance(told, dict) else {TEXT_FIELDS[0]: told})}
            for name, told in content.items()
        ]
    if not isinstance(content, list):
        problems.append(fault(source, source.parent, 1, "is neither a list nor an object."))
        return
    yield from enumerate(content, start=1)


def rows_of(source: Path, problems: list[Problem]) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a Parquet file, for which the hub brings no reader."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        fix = "python -m pip install pyarrow, or save the table as metadata.csv."
        problems.append(fault(source, source.parent, 1, "needs the package pyarrow.", fix))
        return
    try:
        rows = parquet.read_table(source).to_pylist()
    except (OSError, ValueError, ArrowException) as error:
        problems.append(fault(source, source.parent, 1, f"is no Parquet: {error}."))
        return
    yield from enumerate(rows, start=1)


def read_entry(entry: Any, folder: Path, by_stem: dict[str, Path]) -> tuple[Path, str]:
    """Return the picture and the caption of one entry.

    Args:
        entry: An object, or JSON that holds one.
        folder: Where the list lies.
        by_stem: Pictures by ``name_key`` of their path without ending.

    Raises:
        ValueError: Something is wrong with it; the message goes on after the line's number.
    """
    if isinstance(entry, str):
        try:
            entry = json.loads(entry)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"is not JSON: {error}.") from error
    if not isinstance(entry, dict):
        raise ValueError(f"is a {type(entry).__name__}, not an object.")
    name = next((entry[field] for field in NAME_FIELDS if field in entry), None)
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f'has no "{NAME_FIELDS[0]}".')
    field = next((field for field in TEXT_FIELDS if field in entry), None)
    if field is None:
        raise ValueError(f'has no "{TEXT_FIELDS[0]}": {name} would have no caption.')
    caption = entry[field]
    if not isinstance(caption, str):
        raise ValueError(f'has a "{field}" that is not text.')
    named = by_stem.get(name_key(str(folder / name.replace("\\", "/")))) if by_stem else None
    return named or inside(name, folder), one_line(caption)


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
