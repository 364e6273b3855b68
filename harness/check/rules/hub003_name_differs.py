"""HUB003: the folder and contribution.toml have to agree on the name."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import TOML, Folder
from harness.check.problem import Problem, Severity
from harness.contributions.record import NAME_PATTERN

ID = "HUB003"
TITLE = "The folder and contribution.toml give different names"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Compare the two names."""
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
