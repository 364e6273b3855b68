"""HUB106: a contribution can only be based on one that exists."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import TOML, Folder
from harness.check.problem import Problem, Severity
from toolkit.core.text import suggestion

ID = "HUB106"
TITLE = "based_on names a contribution that does not exist"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Look each name up among the other contributions."""
    known = tuple(sorted({"reference", *folder.neighbours} - {folder.name}))
    for index, name in enumerate(folder.declared_texts("based_on")):
        line = folder.toml_line("based_on", index)
        if name == folder.name:
            message = "based_on names the contribution itself."
            yield Problem(message, "Remove it, or name what it grew from.", TOML, line)
        elif name and name not in known:
            yield Problem(
                f"There is no contribution {name!r}.", suggestion(name, known), TOML, line
            )
