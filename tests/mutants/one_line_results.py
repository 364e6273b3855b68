"""What was found of the faults of one line, as it is written in docs/gate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import paths

JSON_FILE = paths.GATE_DOCS / "one_line.json"
# What the gate said of a list before any property was tuned to it; never written again.
BEFORE_FILE = paths.GATE_DOCS / "one_line_before.json"

Results = dict[str, dict[str, Any]]


def read(path: Path = JSON_FILE) -> Results:
    """Read a file of results, or nothing."""
    found: Results = {}
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
    return found


def named(one: dict[str, Any]) -> bool:
    """Tell whether the cause that was meant is among those found."""
    return one["property"] in one["found"]
