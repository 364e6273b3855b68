"""HUB004: what every contribution has to have."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check import limits
from harness.check.folder import MAIN, TOML, Folder
from harness.check.problem import Problem, Severity

ID = "HUB004"
TITLE = "A required file or folder is missing"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look for the required files; a config-only contribution needs no Python."""
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
