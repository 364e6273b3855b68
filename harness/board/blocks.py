"""The board as markdown: all of LEADERBOARD.md, and lines in README.md and each contribution's."""

from __future__ import annotations

from pathlib import Path

from harness import paths
from harness.board import readmes
from harness.board.collect import Board
from harness.board.findings import compared, findings_block
from harness.board.forest import forest
from harness.board.opening import openings
from harness.board.readmes import TEMPLATES
from harness.board.sweeps_block import sweeps_block
from harness.board.tolerances import worth_a_column
from toolkit.core import atomic
from toolkit.core.errors import UsageError
from toolkit.core.templates import render

BEGIN = "<!-- leaderboard: begin. Written by `nox -s leaderboard`; do not edit. -->"
END = "<!-- leaderboard: end -->"
TOP = 5


def board_text(board: Board) -> str:
    """Return the text of LEADERBOARD.md. Only names and figures: no stranger's sentence.

    A newcomer without any row has no line: to build the board and see their own folder in it
    would otherwise change a file that only the hub writes.
    """
    measured = {e.name for e in board.entries if e.state != "pending"}
    tracks = [
        (
            track.file.title,
            [e for e in board.of_track(track.file.name) if e.name in measured or e.is_reference],
        )
        for track in board.tracks
    ]
    swept = [title for title, entries in tracks if worth_a_column(entries)]
    return render(TEMPLATES / "leaderboard.md", tracks=tracks, swept=swept).rstrip() + "\n"


def readme_block(board: Board) -> str:
    """Return the lines for README.md: the first few of each track."""
    tracks = []
    for track in board.tracks:
        entries = board.of_track(track.file.name)
        best = [e for e in entries if e.state == "measured" and not e.control][:TOP]
        tracks.append((track.file.title, best))
    return render(TEMPLATES / "readme.md", tracks=tracks, openings=openings(board)).rstrip()


def with_block(file: Path, block: str) -> str:
    """Return a file's text with the block between its marks: its own first and last line.

    Raises:
        UsageError: The marks are missing, or there are several.
    """
    text, lines = file.read_text(encoding="utf-8"), block.splitlines()
    begin, end = lines[0], lines[-1]
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise UsageError(
            "The marks of a block that the board writes are missing or doubled.",
            where=file.relative_to(paths.ROOT).as_posix(),
            fix=f"Put these two lines where it belongs:\n{begin}\n{end}",
        )
    before, rest = text.split(begin)
    return before + block + rest.split(end)[1]


def wanted(board: Board) -> dict[Path, str]:
    """Return what each generated file should say."""
    readme, docs = paths.ROOT / "README.md", paths.ROOT / "docs"
    findings, rates = docs / "findings.md", docs / "learning_rates.md"
    measured = [(one.file, compared(board, one.file.name)) for one in board.tracks]
    plots = {
        docs / "images" / f"findings_{track.name}.svg": forest(track.title, entries)
        for track, entries in measured
        if entries
    }
    return {
        paths.ROOT / "LEADERBOARD.md": board_text(board),
        readme: with_block(readme, readme_block(board)),
        findings: with_block(findings, findings_block(board)),
        rates: with_block(rates, sweeps_block(board)),
        **plots,
        **readmes.wanted(board)[0],
    }


def outdated(board: Board) -> list[Path]:
    """Return the generated files that do not say what the results say."""
    return [path for path, text in wanted(board).items() if _read(path) != text]


def _read(path: Path) -> str | None:
    # A stranger's README may hold bytes that are no text: they travel through unchanged.
    return path.read_text("utf-8", errors="surrogateescape") if path.is_file() else None


def write(board: Board) -> None:
    """Write the generated files that have changed, atomically."""
    for path, text in wanted(board).items():
        if _read(path) != text:
            atomic.write_bytes(path, text.encode("utf-8", errors="surrogateescape"))
