"""The problems that a folder of pictures can have, and their texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from toolkit.core.errors import DataSetError

# In a message; the full list is what `check` is for.
MOST_SHOWN = 20

Severity = Literal["error", "hint"]

# docs/datasets.md says what each of them means.
Folders = Literal["no-pictures", "nested", "format-unknown", "few", "many"]
Pictures = Literal[
    "unreadable", "small", "shape", "animated", "blank", "duplicate", "near-duplicate", "same-stem"
]
Captions = Literal[
    "captions-none",
    "caption-missing",
    "caption-unreadable",
    "caption-empty",
    "caption-twice",
    "caption-long",
    "orphan",
    "metadata-line",
    "metadata-twice",
    "shuffle-idle",
]
Kind = Folders | Pictures | Captions


class Problem(NamedTuple):
    """One thing that is wrong, with its address and remedy."""

    severity: Severity  # training refuses errors; hints are for people to judge
    kind: Kind
    path: Path  # the file or folder at fault
    message: str
    fix: str
    line: int | None = None  # in metadata.jsonl, from 1
    others: tuple[Path, ...] = ()  # files the message is about too, such as a duplicate's twin


def shown(path: Path, folder: Path) -> str:
    """Return a path as people know it: inside the folder without the way to it."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def refuse_errors(problems: Iterable[Problem], folder: Path) -> None:
    """Raise one error for all errors among the problems; hints pass.

    Raises:
        DataSetError: There is at least one error; the message names every file, up to 20.
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    if not errors:
        return
    first, *rest = errors
    line = f":{first.line}" if first.line else ""
    if not rest:
        raise DataSetError(first.message, where=f"{first.path}{line}", fix=first.fix)
    lines = [f"  {problem.message} {problem.fix}" for problem in errors[:MOST_SHOWN]]
    if len(errors) > MOST_SHOWN:
        lines.append(f"  ... and {len(errors) - MOST_SHOWN} more.")
    raise DataSetError(
        f"{len(errors)} things are wrong with these pictures:\n" + "\n".join(lines),
        where=str(folder),
        fix=f"`nox -s dataset -- check {folder}` lists everything at once.",
    )
