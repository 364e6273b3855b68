"""The board as markdown: all of LEADERBOARD.md, and lines in README.md and each contribution's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import paths
from harness.board import readmes
from harness.board.collect import Board
from harness.board.entries import Entry
from harness.board.findings import compared, findings_block
from harness.board.forest import forest
from harness.board.readmes import difference, verdict
from toolkit.core import atomic
from toolkit.core.errors import UsageError

BEGIN = "<!-- leaderboard: begin. Written by `nox -s leaderboard`; do not edit. -->"
END = "<!-- leaderboard: end -->"
TOP = 5


def board_text(board: Board) -> str:
    """Return the text of LEADERBOARD.md. Only names and figures: no stranger's sentence."""
    lines = [
        "# The board",
        "",
        "Written by `nox -s leaderboard` from the rows in `leaderboard/results/`. Do not edit.",
        "",
        "Rows of one group tie: nothing in it is clearly better than the group's "
        "best. *Gain*: by how much the held-out loss falls below the untouched base's. *vs "
        "reference*: difference of the gains in points, with its 95 % interval over seeds. "
        "*Tier*: Pareto tier over gain, drift, time and size. The site with plots, pictures and "
        "curves: `nox -s leaderboard`, then open `runs/site/index.html`.",
    ]
    for track in board.tracks:
        entries = board.of_track(track.file.name)
        lines += ["", f"## {track.file.title}", "", *_table(entries, wide=True)]
    return "\n".join(lines) + "\n"


def readme_block(board: Board) -> str:
    """Return the lines for README.md: the first few of each track."""
    lines = [BEGIN]
    for track in board.tracks:
        entries = board.of_track(track.file.name)
        entries = [e for e in entries if e.state == "measured" and not e.control][:TOP]
        if entries:
            lines += ["", f"**{track.file.title}**", "", *_table(entries, wide=False)]
    return "\n".join([*lines, "", "All of it: [LEADERBOARD.md](LEADERBOARD.md).", END])


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
    readme, findings = paths.ROOT / "README.md", paths.ROOT / "docs" / "findings.md"
    measured = [(one.file, compared(board, one.file.name)) for one in board.tracks]
    plots = {
        paths.ROOT / "docs" / "images" / f"findings_{track.name}.svg": forest(track.title, entries)
        for track, entries in measured
        if entries
    }
    return {
        paths.ROOT / "LEADERBOARD.md": board_text(board),
        readme: with_block(readme, readme_block(board)),
        findings: with_block(findings, findings_block(board)),
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


def _table(entries: Sequence[Entry], *, wide: bool) -> list[str]:
    more = ("", "")
    if wide:
        more = (" drift | time | kB | tier | medal |", "---:|---:|---:|---:|---|")
    lines = [
        f"| group | contribution | gain % | vs reference | verdict |{more[0]}",
        f"|---:|---|---:|---|---|{more[1]}",
    ]
    for entry in entries:
        cells = [
            str(entry.group or ""),
            f"*{entry.name}*" if entry.is_reference or entry.control else entry.name,
            "" if entry.gain is None else f"{100 * entry.gain:.1f}",
            difference(entry),
            verdict(entry),
        ]
        if wide:
            size = "" if entry.adapter_bytes is None else f"{entry.adapter_bytes / 1000:,.0f}"
            ratio = "" if entry.time_ratio is None else f"{entry.time_ratio:.2f}"
            drift = "" if entry.drift is None else f"{entry.drift:.4f}"
            cells += [drift, ratio, size, str(entry.tier or ""), entry.medal]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
