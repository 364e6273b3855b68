"""HUB101: contribution.toml has to be TOML."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.check.toml_faults import faults_of

ID = "HUB101"
TITLE = "contribution.toml cannot be read"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Pass on what the TOML reader said."""
    yield from faults_of(folder, ID)
