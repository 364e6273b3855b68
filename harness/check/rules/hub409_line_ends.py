"""HUB409: Windows line ends and byte-order marks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.check import mending
from harness.check.folder import Folder, is_junk
from harness.check.problem import Problem, Severity

ID = "HUB409"
TITLE = "Windows line ends or a byte-order mark"
SEVERITY: Severity = "hint"
FIXABLE = True

_BOM = b"\xef\xbb\xbf"


def check(folder: Folder) -> Iterator[Problem]:
    """Look at the bytes of every UTF-8 text file."""
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


def mend(file: Path) -> None:
    """Remove the mark and turn every line end into a line feed."""
    mending.rewrite_bytes(
        file,
        lambda data: data.removeprefix(_BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n"),
    )
