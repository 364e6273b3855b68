"""Where runs keep their files, and how to find the newest one."""

from __future__ import annotations

import contextlib
from pathlib import Path

from harness import paths
from harness.protocol.row import Row
from harness.protocol.row_files import read_row
from harness.sandbox.files import ANSWER_FILE
from harness.sandbox.tidy import remove_tree
from harness.worker.jobs import ADAPTER_FILE, Answer, seed_folder
from toolkit.core.damaged import set_aside
from toolkit.core.errors import ResultFileError

ROW_FILE = "row.json"
PAGE_FILE = "page.html"
SHEET_FILE = "sheet.webp"
PARTS_FILE = "parts.json"
BASE_RUNS = "base"  # beside the folders of the tracks in runs/
KEPT_RUNS = 6  # a thorough run has three: the first seeds, the others, all


def run_folder(track: str, name: str, key: str) -> Path:
    """Return the folder of one run; the key's first digits are enough to tell runs apart."""
    return paths.RUNS / track / name / key[:12]


def finished_row(folder: Path, reference_hash: str) -> Row | None:
    """Return the row of a finished, successful run, or None. Failures are never reused.

    A verdict is good only for the reference it was measured against.
    """
    path = folder / ROW_FILE
    if not path.is_file() or not (folder / PAGE_FILE).is_file():
        return None
    try:
        row = read_row(path)
    except ResultFileError:
        set_aside(path)  # by hand, or by another version of the hub: run again
        return None
    finished = row.status in ("ok", "unmergeable")
    return row if finished and row.reference_hash == reference_hash else None


def newest_adapter(track: str, name: str) -> Path | None:
    """Return the adapter file of the most recent training, first seed, or None."""
    found = [
        path
        for path in (paths.RUNS / track / name).glob(f"*/train/seed-*/{ADAPTER_FILE}")
        if ended_well(path.parent.parent / ANSWER_FILE)
    ]
    if not found:
        return None
    newest = max(found, key=lambda path: path.stat().st_mtime).parent.parent
    seeds = sorted(int(p.name.removeprefix("seed-")) for p in newest.glob("seed-*"))
    return seed_folder(newest, seeds[0]) / ADAPTER_FILE


def ended_well(answer: Path) -> bool:
    """Tell whether a worker's answer is there and reports no fault."""
    try:
        return Answer.model_validate_json(answer.read_bytes()).error is None
    except (OSError, ValueError):
        return False


def prune(track: str, name: str) -> None:
    """Keep the newest few runs of a contribution and remove older ones."""
    for folder in newest_first(paths.RUNS / track / name)[KEPT_RUNS:]:
        remove_tree(folder)


def newest_first(runs: Path) -> list[Path]:
    """Return the folders of a contribution's runs, the newest first.

    By the age of the folders only: a clock that jumps changes which old run goes first, no more.
    """
    folders = [path for path in runs.glob("*") if path.is_dir()]
    return sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)


def newest_row(track: str, name: str) -> tuple[Row, Path] | None:
    """Return the row and folder of the newest run that can be read, or None."""
    found = sorted(
        (paths.RUNS / track / name).glob(f"*/{ROW_FILE}"), key=lambda path: path.stat().st_mtime
    )
    for path in reversed(found):
        with contextlib.suppress(ResultFileError):  # of another version of the hub
            return read_row(path), path.parent
    return None
