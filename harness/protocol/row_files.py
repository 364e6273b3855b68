"""Read and write result rows: one JSON file per track and contribution."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import ValidationError

from harness import paths
from harness.protocol.row import SCHEMA_VERSION, Row
from toolkit.core import atomic
from toolkit.core.damaged import set_aside
from toolkit.core.errors import ResultFileError

SIZE_LIMIT = 256 << 10


def read_row(path: Path) -> Row:
    """Read one row, strictly.

    Raises:
        ResultFileError: The file is missing, too large, damaged or of another schema.
    """
    try:
        size = path.stat().st_size
        if size > SIZE_LIMIT:
            raise ResultFileError(f"A row of {size:,} bytes cannot be one.", where=str(path))
        return Row.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ResultFileError(f"The row cannot be read: {error}", where=str(path)) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ResultFileError(
            f"The row is damaged or of another version: {place}: {first['msg']}",
            where=str(path),
            fix="Run the contribution again; rows are never edited by hand.",
        ) from error


def write_row(path: Path, row: Row) -> None:
    """Write one row, atomically. What is written can be read again.

    Raises:
        ResultFileError: It is larger than a row may be.
    """
    data = row.model_dump_json(indent=1) + "\n"
    if len(data.encode()) > SIZE_LIMIT:
        raise ResultFileError(
            f"The row of {row.contribution} would have {len(data.encode()):,} bytes; a row has at "
            f"most {SIZE_LIMIT:,}.",
            where=str(path),
        )
    atomic.write_text(path, data)


def recorded_path(row: Row) -> Path:
    """Return where the board keeps a row."""
    return paths.RESULTS / row.track / f"{row.contribution}.json"


def recorded_rows(track: str) -> list[Row]:
    """Return the board's rows of one track, best gain first, failed ones last.

    Rows of another schema version are left out: `outdated_rows` names them. A damaged one stops
    no other page: it is reported, and kept aside under another name.
    """
    rows = []
    for path in sorted((paths.RESULTS / track).glob("*.json")):
        if schema_of(path) != SCHEMA_VERSION:
            continue
        try:
            rows.append(read_row(path))
        except ResultFileError as error:
            kept = set_aside(path)
            print(f"{error}\n  kept as {kept.name}", file=sys.stderr)
    return sorted(
        rows, key=lambda row: (-row.verdict.gain if row.verdict else 1e9, row.contribution)
    )


def schema_of(path: Path) -> int:
    """Return the schema version a row file states; a damaged file passes for a current one."""
    try:
        version = json.loads(path.read_bytes())["schema_version"]
    except (OSError, ValueError, KeyError, TypeError):
        return SCHEMA_VERSION  # damaged, not old: reading it has to fail, loudly
    return version if isinstance(version, int) else SCHEMA_VERSION


def outdated_rows(track: str, protocol_hash: str) -> dict[str, str]:
    """Return the recorded rows that can not be compared with new ones: name -> why."""
    found = {}
    for path in sorted((paths.RESULTS / track).glob("*.json")):
        version = schema_of(path)
        if version != SCHEMA_VERSION:
            found[path.stem] = f"it has schema version {version}, the hub writes {SCHEMA_VERSION}"
        elif read_row(path).protocol_hash != protocol_hash:
            found[path.stem] = "it was measured by another protocol, on other pictures or base"
    return found
