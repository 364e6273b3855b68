"""Files that survive a kill: written beside the target, then moved over it in one step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from toolkit.core import atomic


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON atomically."""
    atomic.write_bytes(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def append_jsonl(path: Path, record: dict[str, Any]) -> None:
    """Add one line to a log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(record) + "\n")
