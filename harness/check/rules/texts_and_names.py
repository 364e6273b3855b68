"""Text files and file names that change from one machine to the next. HUB407 to HUB412."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from harness.check import limits, mending
from harness.check.file_kinds import steers_git
from harness.check.folder import TOML, Entry, Folder, is_junk
from harness.check.problem import Problem, rule


@rule("HUB407", "A text file is not UTF-8")
def not_utf8(folder: Folder) -> Iterator[Problem]:
    """Text in any other encoding turns into something else on the next machine."""
    # Decode every text file; contribution.toml is HUB101's.
    for entry in folder.texts:
        if entry.path == TOML or is_junk(entry.path):
            continue
        data = folder.read(entry)
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Problem(
                f"Byte {error.start + 1} (0x{data[error.start]:02x}) is not UTF-8 text.",
                "Save the file as UTF-8; editors offer it under 'Save with encoding'.",
                entry.path,
                data.count(b"\n", 0, error.start) + 1,
            )


# Control characters, overrides and isolates of direction, zero-width spaces, fillers.
_ALWAYS = (
    "\\x00-\\x08\\x0b\\x0e-\\x1f\\x7f-\\x9f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5"
    "\\u180e\\u200b\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb"
)
# Letters of code points that only mean something beside others: Hebrew and Arabic marks, and the
# joiners inside emoji and Indic or Persian words. In prose they are fine.
_IN_CODE = "\\u200e\\u200f"
_PROSE = re.compile(
    f"[{_ALWAYS}]|(?<![^\\x00-\\x7f])[\\u200c\\u200d]|(?<!\\U0001f3f4)[\\U000e0001]"
)
_CODE = re.compile(
    f"[{_ALWAYS}{_IN_CODE}\\U000e0000-\\U000e007f]|(?<![^\\x00-\\x7f])[\\u200c\\u200d]"
)


@rule("HUB408", "Invisible or direction-changing characters")
def invisible_characters(folder: Folder) -> Iterator[Problem]:
    """Characters that make a text look different from what it is (Trojan Source)."""
    # Search every text file; one finding per line.
    for entry in folder.texts:
        text = None if is_junk(entry.path) else folder.text(entry)
        if text is None:
            continue
        pattern = _CODE if entry.suffix in {".py", ".toml"} else _PROSE
        lines: dict[int, str] = {}
        for found in pattern.finditer(text):
            lines.setdefault(text.count("\n", 0, found.start()) + 1, found[0])
        for line, character in lines.items():
            name = unicodedata.name(character, "control character")
            yield Problem(
                f"The line holds an invisible character: U+{ord(character):04X} {name}.",
                "Delete it: what reviewers see has to be what Python reads.",
                entry.path,
                line,
            )


_BOM = b"\xef\xbb\xbf"


def _mend_line_ends(file: Path) -> None:
    """Remove the mark and turn every line end into a line feed."""
    mending.rewrite_bytes(
        file, lambda data: data.removeprefix(_BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    )


@rule("HUB409", "Windows line ends or a byte-order mark", "hint", mend=_mend_line_ends)
def line_ends(folder: Folder) -> Iterator[Problem]:
    """Windows line ends and byte-order marks."""
    for entry in folder.texts:
        data = b"" if is_junk(entry.path) else folder.read(entry)
        if not (data.startswith(_BOM) or b"\r" in data) or folder.text(entry) is None:
            continue
        if data.startswith(_BOM):
            yield Problem(
                "The file starts with a byte-order mark, which becomes part of the text.",
                "Save it as UTF-8 without BOM; `check --fix` does.",
                entry.path,
                1,
            )
        if b"\r" in data:
            yield Problem(
                "The file has Windows line ends (CR LF).",
                "Save it with LF line ends; `check --fix` does.",
                entry.path,
                data.count(b"\n", 0, data.index(b"\r")) + 1,
            )


_FORBIDDEN_IN_NAMES = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]')
_LONGEST = 150  # Windows allows 260 for the whole path, and the clone lies somewhere, too.


@rule("HUB410", "A file name does not work everywhere")
def file_name(folder: Folder) -> Iterator[Problem]:
    """Names that another operating system cannot create."""
    # Look at every name alone, and for names that differ in case only.
    fix = "Rename it; letters, digits, '-', '_' and '.' work everywhere."
    first: dict[str, str] = {}
    for entry in folder.entries:
        fault = _name_fault(entry)
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


def _name_fault(entry: Entry) -> str | None:
    name = entry.name
    if _FORBIDDEN_IN_NAMES.search(name):
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


@rule("HUB411", "A notebook", "hint")
def notebook(folder: Folder) -> Iterator[Problem]:
    """Notebooks are fine to work in, and hard to review."""
    for entry in folder.files:
        if entry.suffix == ".ipynb":
            yield Problem(
                "The hub runs no notebooks, and reviewers cannot read their differences.",
                "Move what matters into src/*.py, and leave the notebook out.",
                entry.path,
            )


@rule("HUB412", "A file gives orders to git")
def git_file(folder: Folder) -> Iterator[Problem]:
    """Files by which git, and the site that hosts it, change what others see."""
    # Look at the names of files and folders: .git*, but .gitkeep, and .mailmap.
    for entry in folder.entries:
        if steers_git(entry.name):
            yield Problem(
                f"{entry.name!r} is read by git, which would treat files of this folder otherwise.",
                "Remove it. What git shall not see on your machine goes into .git/info/exclude.",
                entry.path,
            )
