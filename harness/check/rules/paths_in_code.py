"""Paths and file names in the code that work on one machine only. HUB231 to HUB233."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.path_texts import PathText, path_texts
from harness.check.problem import Problem, rule

# Anywhere: the usual first folders, drives (C:\data, C:/data), \\server\share, ~/data.
_ABSOLUTE = re.compile(
    r"/(?:home|Users|root|content|kaggle|mnt|media|tmp|var|opt|usr|etc|srv|data|workspace|Volumes)"
    r"/[^\s:*?\"<>|()\[\]{}^$]+"
    r"|[A-Za-z]:[\\/](?![\\/])[\w .-]{2,}.*"
    r"|\\\\[A-Za-z][\w.-]+\\[\w.$-]+.*"
    r"|~[\w-]*[\\/][\w.-]+.*"
)
# In open(...), Path(...) and the like any rooted path is one; "/" alone is a root, not a path.
_ROOTED = re.compile(r"/[\w.-][^\n]*")


@rule("HUB231", "An absolute path is written in the code")
def absolute_path(folder: Folder) -> Iterator[Problem]:
    """A path that exists on one machine only."""
    # Look at texts in the code, not at docstrings, regular expressions or URLs.
    for module in folder.modules.values():
        for found in path_texts(module):
            if _ABSOLUTE.fullmatch(found.value) or (
                found.is_path_argument and _ROOTED.fullmatch(found.value)
            ):
                shown = found.value if len(found.value) <= 60 else f"{found.value[:57]}..."
                yield Problem(
                    f"The path {shown!r} exists on your machine only.",
                    "Use the hook's arguments (data_dir), or Path(__file__).parent / 'file'.",
                    module.path,
                    found.line,
                )


# As typed between the quotes: parts joined by one or two back-slashes.
_BACKSLASHED = re.compile(r"(?:\.{1,2}\\{1,2})*[\w .-]+(?:\\{1,2}[\w .-]+)*\\{0,2}")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,10}$")
_BACK_REFERENCE = re.compile(r"\\\d")  # re.sub's "\1"
_OWN_FOLDERS = ("Dataset", "Images", "ImageCaptions", "src", "CONTRIBUTIONS", "tracks", "models")


@rule("HUB232", "A path is written with back-slashes")
def backslash_path(folder: Folder) -> Iterator[Problem]:
    """A path with back-slashes works on Windows only."""
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
    if not _BACKSLASHED.fullmatch(found.typed):
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


@rule("HUB233", "Code names README.md")
def reads_readme(folder: Folder) -> Iterator[Problem]:
    """README.md is for readers; what a contribution does may not depend on it."""
    # Look for texts that name the file; docstrings and other free-standing texts may.
    for module in folder.modules.values():
        free = {id(node.value) for node in module.nodes(ast.Expr)}
        for node in module.nodes(ast.Constant):
            value = node.value
            if isinstance(value, str) and id(node) not in free and "readme.md" in value.lower():
                yield Problem(
                    "The code names README.md, which a row's hash leaves out so that its words "
                    "may change without a new run.",
                    "Keep what the code needs in contribution.toml or in a file of its own.",
                    *module.at(node),
                )
