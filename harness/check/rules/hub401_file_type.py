"""HUB401: file types that have no place in a contribution."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.file_kinds import FORBIDDEN, SECRET_NAMES
from harness.check.folder import Folder, is_junk
from harness.check.problem import Problem, Severity

ID = "HUB401"
TITLE = "A file type is not allowed"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look at the extensions."""
    for entry in folder.files:
        if is_junk(entry.path):
            continue
        suffix = ".so" if ".so." in entry.name.lower() else entry.suffix
        if entry.name.lower() in SECRET_NAMES or entry.name.lower().startswith(".env."):
            why, shown = "may hold a secret", entry.name
        elif suffix in FORBIDDEN:
            why, shown = FORBIDDEN[suffix], suffix
        else:
            continue
        fix = "Remove it from the folder. Weights, if any, are .safetensors."
        if "secret" in why:
            fix = "Remove it, and if it was ever pushed, replace the secret."
        yield Problem(f"{shown!r} files are not allowed: such a file {why}.", fix, entry.path)
