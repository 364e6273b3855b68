"""Keep the rows that come home: on the board, or in a folder that is merged into one later."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.protocol import row_files
from harness.protocol.row import Row
from harness.protocol.track import track_names
from harness.runs.many.tasks import SENTENCE, TaskResult
from harness.sandbox.events import without_control
from toolkit.core import atomic
from toolkit.core.errors import ResultFileError, UsageError

SHEET_LIMIT = 4 << 20


def store(result: TaskResult, folder: Path) -> Path | None:
    """Write a result's row and sheet to ``folder/TRACK/NAME``; None when it has no row."""
    if result.row is None:
        return None
    path = folder / result.row.track / f"{result.row.contribution}.json"
    row_files.write_row(path, result.row)
    if result.sheet is not None and len(result.sheet) <= SHEET_LIMIT:
        atomic.write_bytes(path.with_suffix(".webp"), result.sheet)
    else:
        path.with_suffix(".webp").unlink(missing_ok=True)  # pictures of an earlier run
    return path


@dataclass(frozen=True)
class Merged:
    """What became of the rows that were found."""

    taken: tuple[str, ...]
    known: tuple[str, ...]  # the board has the same row, or a newer one
    refused: dict[str, str]  # file -> why


def collect(folders: list[Path], board: Path) -> Merged:
    """Merge folders of rows into a board; of two rows about the same the newer one stays.

    Order does not matter, and merging twice changes nothing. A file that is no row of this hub is
    refused with a reason; the others are stored.

    Raises:
        UsageError: A folder is not there.
    """
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        raise UsageError(f"There is no folder {', '.join(missing)}.", fix="Name existing ones.")
    taken, known, refused = [], [], {}
    tracks = set(track_names())
    for path in sorted(file for folder in folders for file in folder.glob("*/*.json")):
        try:
            row = read_own(path, tracks)
        except ResultFileError as error:
            # It may quote the name of a field that is none of ours.
            refused[str(path)] = without_control(error.what).replace("\n", " ")[:SENTENCE]
            continue
        target = board / row.track / path.name
        label = f"{row.contribution} on {row.track}"
        if is_older(row, target):
            known.append(label)
            continue
        row_files.write_row(target, row)
        sheet = path.with_suffix(".webp")
        # A link could lead to any file of this machine, which would then be published.
        plain = sheet.is_file() and not sheet.is_symlink()
        if plain and sheet.stat().st_size <= SHEET_LIMIT:
            with atomic.replacing(target.with_suffix(".webp")) as temporary:
                shutil.copyfile(sheet, temporary)
        else:
            target.with_suffix(".webp").unlink(missing_ok=True)  # pictures of an earlier row
        taken.append(label)
    return Merged(tuple(taken), tuple(known), refused)


def read_own(path: Path, tracks: set[str]) -> Row:
    """Read a row that lies where its name and track say.

    Raises:
        ResultFileError: It does not, or it is no row.
    """
    if path.is_symlink():
        raise ResultFileError("It is a link, not a file of its own.", where=str(path))
    row = row_files.read_row(path)
    if (row.track, row.contribution) != (path.parent.name, path.stem):
        raise ResultFileError(f"It is about {row.contribution} on {row.track}.", where=str(path))
    if row.track not in tracks:
        raise ResultFileError("There is no such track here.", where=str(path))
    return row


def is_older(row: Row, target: Path) -> bool:
    """Tell whether the board's row is at least as new; a damaged one is not."""
    try:
        return target.is_file() and row_files.read_row(target).created_at >= row.created_at
    except ResultFileError:
        return False
