"""The bridge from the reader of contribution.toml to the HUB10x rules."""

from __future__ import annotations

from collections.abc import Iterator

from harness.check.folder import TOML, Folder
from harness.check.problem import Problem


def faults_of(folder: Folder, rule: str) -> Iterator[Problem]:
    """Yield what the reader found under one rule's id."""
    for fault in folder.document.faults:
        if fault.rule == rule:
            yield Problem(fault.message, fault.fix, TOML, fault.line)
