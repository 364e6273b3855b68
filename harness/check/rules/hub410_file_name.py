"""HUB410: names that another operating system cannot create."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from harness.check import limits
from harness.check.folder import Entry, Folder
from harness.check.problem import Problem, Severity

ID = "HUB410"
TITLE = "A file name does not work everywhere"
SEVERITY: Severity = "error"
FIXABLE = False

_FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]')
_LONGEST = 150  # Windows allows 260 for the whole path, and the clone lies somewhere, too.


def check(folder: Folder) -> Iterator[Problem]:
    """Look at every name alone, and for names that differ in case only."""
    fix = "Rename it; letters, digits, '-', '_' and '.' work everywhere."
    first: dict[str, str] = {}
    for entry in folder.entries:
        fault = _fault(entry)
        if fault:
            yield Problem(f"The name {entry.name!r} {fault}.", fix, entry.path)
        same = unicodedata.normalize("NFC", entry.path).casefold()
        other = first.setdefault(same, entry.path)
        if other != entry.path:
            yield Problem(
                f"{entry.path!r} and {other!r} differ in upper and lower case only: on Windows "
                "and macOS they are one.",
                fix,
                entry.path,
            )


def _fault(entry: Entry) -> str | None:
    name = entry.name
    if _FORBIDDEN.search(name):
        return "has a character that Windows forbids, or an invisible one"
    if name.endswith((".", " ")):
        return "ends in a dot or space, which Windows drops"
    if name.split(".")[0].rstrip().casefold() in limits.WINDOWS_RESERVED:
        return "is reserved on Windows"
    if not name.isprintable():
        return "is not readable text"
    if len(entry.path) > _LONGEST:
        return f"makes a path of more than {_LONGEST} characters"
    return None
