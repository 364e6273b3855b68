"""What came out, in each contribution's README: a table between two marks, written by the hub.

A README is not part of what a row was measured on, so writing here makes no row stale. To write
your own summary instead, delete the marks.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness import paths
from harness.board.collect import Board
from harness.board.entries import Entry
from toolkit.core.templates import render

BEGIN = "<!-- results: begin. Written by `nox -s leaderboard`; do not edit. -->"
END = "<!-- results: end -->"
# Whatever else stands in a mark: the hub that writes it next says it in its own words. Not at any
# length: looking for the end of each of ten thousand torn marks would take for ever.
_MARK = re.compile(r"<!-- results: (begin|end)\b[^\n]{0,200}?-->")

TEMPLATES = Path(__file__).with_name("templates")


def block(text: str) -> str:
    """Put a text between the marks."""
    return f"{BEGIN}\n{text}\n{END}"


def without_block(readme: str) -> str:
    """Return a README without the hub's own lines, for a page that shows them already.

    A heading that had nothing else below it goes with them.
    """
    place = _place(readme)
    if place is None:
        return readme
    before, after = readme[: place[0]], readme[place[1] :]
    above, _, last = before.rstrip().rpartition("\n")
    if last.startswith("#") and (not after.strip() or after.lstrip().startswith("#")):
        before = f"{above}\n"
    return before + after


def _with(readme: str, text: str) -> str:
    """Return a README with a text in the place of the hub's own lines, marks included."""
    place = _place(readme)
    return readme if place is None else readme[: place[0]] + text + readme[place[1] :]


def _place(readme: str) -> tuple[int, int] | None:
    """Return where the hub's own lines begin and end; None where a mark is missing."""
    begin = None
    for mark in _MARK.finditer(readme):
        if mark[1] == "begin" and begin is None:
            begin = mark.start()
        elif mark[1] == "end" and begin is not None:
            return begin, mark.end()
    return None


def is_marked(readme: str) -> bool:
    """Tell whether a README has the marks, once each and in their order."""
    return [mark[1] for mark in _MARK.finditer(readme)] == ["begin", "end"]


def wanted(board: Board) -> tuple[dict[Path, str], list[str]]:
    """Return what each README with marks should say, and which of them cannot be written.

    One contribution's mistake must not stop the board, so it is reported, not raised.

    Returns:
        The texts of the READMEs, and a sentence for each whose marks are doubled or torn.
    """
    texts: dict[Path, str] = {}
    faults = []
    for name, entries in board.by_name.items():
        file = paths.CONTRIBUTIONS / name / "README.md"
        if not file.is_file() or file.is_symlink():
            continue
        old = file.read_text(encoding="utf-8", errors="surrogateescape")
        if is_marked(old):
            texts[file] = _with(old, block(results_text(entries)))
        elif _MARK.search(old):
            faults.append(
                f"CONTRIBUTIONS/{name}/README.md: the marks of its results are doubled or torn; "
                f"it needs one line each, in this order: {BEGIN} and {END}"
            )
    return texts, faults


def results_text(entries: list[Entry]) -> str:
    """Return the table of one contribution: a line for each track that has a row."""
    rows = [entry for entry in entries if entry.state != "pending"]
    pending = [entry.track for entry in entries if entry.state == "pending"]
    return render(TEMPLATES / "results.md", rows=rows, pending=pending).strip()
