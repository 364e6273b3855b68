"""HUB001: the folder's name has to work as a Python name on every operating system."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from harness.check import limits
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.contributions.record import NAME_PATTERN

ID = "HUB001"
TITLE = "The folder's name cannot be used"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare the name with the pattern, with Python's keywords and with Windows' devices."""
    name = folder.name
    fix = "Rename the folder (and `name` in contribution.toml), for example to 'MyIdea'."
    if not NAME_PATTERN.fullmatch(name):
        yield Problem(
            f"The folder name {name!r} is not a letter and then 1 to 38 letters, digits or _.", fix
        )
    elif keyword.iskeyword(name):
        yield Problem(f"{name!r} is a word of the Python language, so it cannot be imported.", fix)
    elif name.casefold() in limits.WINDOWS_RESERVED:
        yield Problem(
            f"Windows reserves the name {name!r}; the hub could not be cloned there.", fix
        )
    elif name.casefold() in limits.ROWS_OF_THE_HUB:
        yield Problem(f"The name {name!r} stands for a row of the hub's own on the board.", fix)
