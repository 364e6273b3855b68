"""What importing the contribution did. It has happened already, before the first experiment."""

from __future__ import annotations

from dataclasses import dataclass

from harness.gate.audit import Deed
from harness.gate.experiments.context import Context


@dataclass
class ImportSeen:
    """What was seen while ``main.py`` was imported."""

    deeds: list[Deed]
    changed: list[str]  # global state
    threads: list[str]
    seconds: float  # of CPU


def run(context: Context) -> ImportSeen:
    """Return what was noted when the hooks were loaded."""
    seen: ImportSeen = context.shared["importing"]
    return seen
