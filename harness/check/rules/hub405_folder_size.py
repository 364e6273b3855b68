"""HUB405: the caps on a whole contribution."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import limits
from harness.check.folder import Folder
from harness.check.problem import Problem, Severity

ID = "HUB405"
TITLE = "The folder is too large"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Add up sizes and count files."""
    total = sum(entry.size for entry in folder.files)
    if total > limits.MAX_FOLDER_BYTES:
        yield Problem(
            f"The folder has {total / limits.MIB:.1f} MiB; at most "
            f"{limits.MAX_FOLDER_BYTES // limits.MIB} MiB are allowed.",
            "Use fewer or smaller pictures: 5 to 20 are enough for LoRA.",
        )
    count = len(folder.files)
    if count > limits.MAX_FILES:
        more = "more than " if len(folder.entries) >= limits.MAX_LISTED else ""
        yield Problem(
            f"The folder has {more}{count} files; at most {limits.MAX_FILES} are allowed (and only "
            "as many were looked into).",
            "Use fewer pictures: 5 to 20 are enough for LoRA.",
        )
    deep = [e for e in folder.entries if e.path.count("/") >= limits.MAX_DEPTH]
    if deep:
        yield Problem(
            f"Folders are nested more than {limits.MAX_DEPTH} deep; nothing below was checked.",
            "Flatten them.",
            deep[0].path,
        )
