"""HUB102: a misspelt setting is a fault, never a silent default."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.check.toml_faults import faults_of

ID = "HUB102"
TITLE = "contribution.toml has an unknown field"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Pass on the fields that the schema does not know."""
    yield from faults_of(folder, ID)
