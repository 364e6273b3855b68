"""HUB232: a path with back-slashes works on Windows only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.path_texts import PathText, path_texts
from harness.check.problem import Problem, Severity

ID = "HUB232"
TITLE = "A path is written with back-slashes"
SEVERITY: Severity = "error"
FIXABLE = False

# As typed between the quotes: parts joined by one or two back-slashes.
_PATH = re.compile(r"(?:\.{1,2}\\{1,2})*[\w .-]+(?:\\{1,2}[\w .-]+)*\\{0,2}")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,10}$")
_BACK_REFERENCE = re.compile(r"\\\d")  # re.sub's "\1"
_OWN_FOLDERS = ("Dataset", "Images", "ImageCaptions", "src", "CONTRIBUTIONS", "tracks", "models")


def check(folder: Folder) -> Iterator[Problem]:
    """Look for texts that can only be meant as paths."""
    for module in folder.modules.values():
        for found in path_texts(module):
            if "\\" in found.typed and _is_path(found):
                yield Problem(
                    f"The path {found.typed!r} has back-slashes: it works on Windows only, and "
                    r"\t or \n in it are not what they seem.",
                    f"Write '{_with_slashes(found.typed)}', or join parts with Path(...) / ...",
                    module.path,
                    found.line,
                )


def _is_path(found: PathText) -> bool:
    if not _PATH.fullmatch(found.typed):
        return False
    if _BACK_REFERENCE.search(found.typed) and not found.is_path_argument:
        return False
    parts = re.split(r"\\+", found.typed)
    # "a\tb" is an ordinary text with a tab; a folder of ours or a file name gives a path away.
    return (
        found.is_path_argument
        or parts[0] in _OWN_FOLDERS
        # ".\\d" is a regular expression.
        or (parts[0] in {".", ".."} and len(parts) > 1 and len(parts[1]) > 1)
        or (bool(_EXTENSION.search(found.typed)) and "\\" in found.value)
    )


def _with_slashes(typed: str) -> str:
    return re.sub(r"\\+", "/", typed)
