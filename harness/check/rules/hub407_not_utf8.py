"""HUB407: text in any other encoding turns into something else on the next machine."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import TOML, Folder, is_junk
from harness.check.problem import Problem, Severity

ID = "HUB407"
TITLE = "A text file is not UTF-8"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Decode every text file; contribution.toml is HUB101's."""
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
