"""HUB104: values of the wrong type or outside their range."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import Folder
from harness.check.problem import Problem, Severity
from harness.check.toml_faults import faults_of

ID = "HUB104"
TITLE = "contribution.toml has a wrong value"
SEVERITY: Severity = "error"
FIXABLE = False


def check(folder: Folder) -> Iterator[Problem]:
    """Pass on the values that the schema refuses."""
    yield from faults_of(folder, ID)
