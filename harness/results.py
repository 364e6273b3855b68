"""Read and write result rows: one JSON file per track and contribution."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from harness import atomic, paths
from harness.errors import ResultFileError
from harness.records import Row

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
    """Write one row, atomically."""
    atomic.write_text(path, row.model_dump_json(indent=1) + "\n")


def recorded_path(row: Row) -> Path:
    """Return where the leaderboard keeps a row."""
    return paths.RESULTS / row.track / f"{row.contribution}.json"


def recorded_rows(track: str) -> list[Row]:
    """Return the leaderboard's rows of one track, best gain first, failed ones last.

    Raises:
        ResultFileError: One of the files is damaged.
    """
    rows = [read_row(path) for path in sorted((paths.RESULTS / track).glob("*.json"))]
    return sorted(
        rows, key=lambda row: (-row.verdict.gain if row.verdict else 1e9, row.contribution)
    )
