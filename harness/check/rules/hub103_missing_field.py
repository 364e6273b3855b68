"""HUB103: the fields that have no default."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.check.toml_faults import faults_of

ID = "HUB103"
TITLE = "contribution.toml lacks a field"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Pass on the fields that the schema asks for."""
    yield from faults_of(folder, ID)
