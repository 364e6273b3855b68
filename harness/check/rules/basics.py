"""The folder itself: its name, the files that it needs, its README. HUB001 to HUB006."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from harness.check import limits
from harness.check.folder import MAIN, TOML, Folder
from harness.check.problem import Problem, rule
from harness.contributions.record import NAME_PATTERN


@rule("HUB001", "The folder's name cannot be used")
def folder_name(folder: Folder) -> Iterator[Problem]:
    """The folder's name has to work as a Python name on every operating system."""
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


@rule("HUB002", "The name is taken, apart from upper and lower case")
def name_taken(folder: Folder) -> Iterator[Problem]:
    """Two names that differ only in case are one folder on Windows and macOS."""
    own = folder.name.casefold()
    for other in sorted(one for one in folder.neighbours if one.casefold() == own):
        if other != folder.name:
            yield Problem(
                f"{folder.name!r} and {other!r} differ only in upper and lower case.",
                "Choose another name: on Windows and macOS they would be one folder.",
            )


@rule("HUB003", "The folder and contribution.toml give different names")
def name_differs(folder: Folder) -> Iterator[Problem]:
    """The folder and contribution.toml have to agree on the name."""
    name = folder.document.values.get("name")
    if not NAME_PATTERN.fullmatch(folder.name):
        return  # HUB001's: advice to copy an impossible name would mislead.
    if isinstance(name, str) and name != folder.name:
        yield Problem(
            f"The folder is called {folder.name!r}, but contribution.toml says {name!r}.",
            f"Write name = {_quoted(folder.name)}, or rename the folder.",
            TOML,
            folder.toml_line("name"),
        )


def _quoted(name: str) -> str:
    return f'"{name}"'


@rule("HUB004", "A required file or folder is missing")
def required_files(folder: Folder) -> Iterator[Problem]:
    """What every contribution has to have."""
    # Look for the required files; a config-only contribution needs no Python.
    files = [
        (
            TOML,
            "It says who wrote this and which hooks are its own; docs/checks/HUB004.md has one.",
        ),
        ("README.md", "Write what it changes, why, and what came out."),
    ]
    if not folder.is_config_only:
        files.append((MAIN, "It shows your hooks to the hub. Without Python: set hooks = []."))
    for path, fix in files:
        if not folder.is_file(path):
            yield Problem(f"{path} is missing.{_misspelt(folder, path)}", fix)
    for path, fix in (
        (limits.IMAGES, "Put at least one example picture into it."),
        (limits.CAPTIONS, "Put one .txt file per picture into it."),
    ):
        if not folder.is_folder(path):
            yield Problem(f"The folder {path} is missing.{_misspelt(folder, path)}", fix)


def _misspelt(folder: Folder, path: str) -> str:
    # The commonest reason by far, and invisible on a file system that ignores case.
    near = [entry.path for entry in folder.entries if entry.path.casefold() == path.casefold()]
    return f" There is {near[0]!r}: upper and lower case matter." if near else ""


_LEAST_CHARACTERS = 20


@rule("HUB005", "README.md is empty")
def readme_empty(folder: Folder) -> Iterator[Problem]:
    """A README that says nothing."""
    entry = folder.by_path.get("README.md")
    text = folder.text(entry) if entry and entry.kind == "file" else None
    if text is None:
        return
    prose = "".join(line for line in text.splitlines() if not line.startswith("#"))
    if len(prose.strip()) < _LEAST_CHARACTERS:
        yield Problem(
            "README.md has no text besides its headings.",
            "Say in a sentence or two what your contribution changes and why.",
            "README.md",
            1,
        )


_SECTIONS = {
    "What": re.compile(r"\b(what|idea|summary|overview|about|method|changes?)\b", re.IGNORECASE),
    "Why": re.compile(r"\b(why|motivation|background|reason|rationale)\b", re.IGNORECASE),
    "Results": re.compile(r"\b(results?|outcome|evaluation|score|findings)\b", re.IGNORECASE),
}


@rule("HUB006", "README.md leaves a question open", "hint")
def readme_sections(folder: Folder) -> Iterator[Problem]:
    """The three questions that readers of a contribution have."""
    entry = folder.by_path.get("README.md")
    text = folder.text(entry) if entry and entry.kind == "file" else None
    if text is None or any(readme_empty.check(folder)):
        return
    headings = [line for line in text.splitlines()[1:] if re.match(r"#{1,6}\s", line)]
    missing = [name for name, words in _SECTIONS.items() if not any(map(words.search, headings))]
    if missing:
        names = ", ".join(f"'## {name}'" for name in missing)
        yield Problem(
            f"README.md has no section {names}.",
            "Readers ask what it changes, why, and what came out: a line each is enough.",
            "README.md",
            1,
        )
