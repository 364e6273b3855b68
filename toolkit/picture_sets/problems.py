"""The problems that a folder of pictures can have, and their texts."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from toolkit.core.errors import DataSetError

# In a message; the full list is what `check` is for.
MOST_SHOWN = 20

Severity = Literal["error", "hint"]

# Kind -> severity, message and fix, with names in braces for what is known about the case.
KINDS: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("problems.toml").read_text(encoding="utf-8")
)


class Problem(NamedTuple):
    """One thing that is wrong, with its address and remedy."""

    severity: Severity  # training refuses errors; hints are for people to judge
    kind: str  # one of KINDS
    path: Path  # the file or folder at fault
    message: str
    fix: str
    line: int | None = None  # in metadata.jsonl, from 1
    others: tuple[Path, ...] = ()  # files the message is about too, such as a duplicate's twin


def as_problem(
    kind: str,
    path: Path,
    *,
    fix: str | None = None,
    severity: Severity | None = None,
    others: tuple[Path, ...] = (),
    **known: Any,
) -> Problem:
    """Return a problem in the words of problems.toml.

    Args:
        kind: One of ``KINDS``.
        path: The file or folder at fault.
        fix: The remedy, where the case has another one.
        severity: The severity, where the case has another one.
        others: Files the message is about too.
        known: What the words name in braces; ``line`` is the line in ``path``, too.
    """
    words = KINDS[kind]
    return Problem(
        severity or words["severity"],
        kind,
        path,
        words["message"].format(**known),
        words["fix"].format(**known) if fix is None else fix,
        known.get("line"),
        others,
    )


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
