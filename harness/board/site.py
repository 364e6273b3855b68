"""Write the whole site into a folder: pages that need no server and make no requests."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from markupsafe import Markup

from harness import paths
from harness.board import downloads, sheets
from harness.board.collect import Board
from harness.board.entries import points
from harness.board.evidence import EVIDENCE
from harness.board.history import read_history
from harness.board.lineage import Lineage
from harness.board.markdown import render
from harness.board.opening import openings
from harness.board.pages import compare_page, contribution_page, gallery_page, track_page
from harness.protocol.track import Track
from toolkit.core.errors import UsageError
from toolkit.core.locks import Busy, held
from toolkit.core.settings import HOOK_NAMES
from toolkit.core.templates import environment

HERE = Path(__file__).resolve().parent
# A folder with this file was written by us and may be replaced.
MARK = ".hub-site"
DRAFT, OLD = "site", "old"
# How long a build waits for another one to end, seconds.
PATIENCE_S = 120.0


def build(board: Board, out: Path, *, docs: bool = False) -> int:
    """Write the site, in one move, and return how many files it has.

    Args:
        board: What it shows.
        out: Where; a site that is there is replaced.
        docs: Whether ``docs/`` in it will hold the documentation, for the link at the top.

    Raises:
        UsageError: There is already something else at ``out``, or another build is going on.
    """
    try:
        with held(paths.RUNS / "site", timeout_s=PATIENCE_S):
            return _build_alone(board, out, docs=docs)
    except Busy as error:
        raise UsageError(
            f"The site is being built right now, by {error}.", fix="Wait for that build to end."
        ) from error


def _build_alone(board: Board, out: Path, *, docs: bool) -> int:
    """Build under a lock; drafts of killed builds go first."""
    if out.exists() and not (out / MARK).is_file() and any(out.iterdir()):
        raise UsageError(
            "This folder has files that are not of a site of the hub.",
            where=str(out),
            fix="Name another folder, or empty this one.",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f".{out.name}-*"):
        if left.is_dir() and {part.name for part in left.iterdir()} <= {DRAFT, OLD}:
            shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        draft = Path(temporary) / DRAFT
        draft.mkdir()
        Writer(board, draft, docs=docs).write_all()
        old = Path(temporary) / OLD
        if out.exists():
            out.rename(old)
        draft.rename(out)
    return sum(1 for path in out.rglob("*") if path.is_file())


class Writer:
    """Writes one site."""

    def __init__(self, board: Board, out: Path, *, docs: bool) -> None:
        self.board = board
        self.out = out
        self.environment = environment(HERE / "templates")
        measured = [entry.measured_at for entry in board.entries if entry.measured_at]
        self.environment.globals |= {"tracks": board.tracks, "newest": max(measured, default="")}
        self.environment.globals |= {"evidence": EVIDENCE, "hooks": HOOK_NAMES, "docs": docs}
        self.environment.globals |= {"in_points": points, "own": sheets.OWN}

    def write_all(self) -> None:
        """Write every file."""
        self.write(MARK, "Written by `nox -s leaderboard`.\n")
        self.write_assets()
        boards = [(track, self.board.of_track(track.file.name)) for track in self.board.tracks]
        begin = openings(self.board)
        self.page("index.html", "index.html", root="", here="home", boards=boards, openings=begin)
        file = paths.ROOT / "docs" / "protocol.md"
        protocol = render(file.read_text(encoding="utf-8")) if file.is_file() else ""
        self.page("protocol.html", "protocol.html", root="", here="protocol", protocol=protocol)
        for track in self.board.tracks:
            self.write_track(track)
        self.write_contributions()

    def write_assets(self) -> None:
        """Copy style, scripts and licences."""
        shutil.copytree(HERE / "static", self.out / "assets")
        css = (HERE / "static" / "board.css").read_text(encoding="utf-8")
        self.write("assets/board.css", css + sheets.gallery_css())

    def write_track(self, track: Track) -> None:
        """Write a track's pages and downloads."""
        name = track.file.name
        entries = self.board.of_track(name)
        found = {entry.name: sheets.sheet_of(entry) for entry in entries}
        for entry_name, sheet in found.items():
            if sheet is not None:
                target = self.out / "sheets" / name / f"{entry_name}.webp"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(sheet.file, target)
        for entry in entries:
            row = paths.RESULTS / name / f"{entry.name}.json"
            if row.is_file():
                target = self.out / "data" / "rows" / name / row.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(row, target)
        self.page("track.html", f"{name}/index.html", here=name, **track_page(track, entries))
        self.page(
            "gallery.html", f"{name}/gallery.html", here=name, **gallery_page(track, entries, found)
        )
        self.page(
            "compare.html", f"{name}/compare.html", here=name, **compare_page(track, entries, found)
        )
        self.write(f"{name}/curves.js", downloads.curves_script(entries))
        self.write(f"data/{name}.csv", downloads.csv_text(entries))
        self.write(f"data/{name}.json", downloads.json_text(name, entries))

    def write_contributions(self) -> None:
        """Write a page and a badge for each contribution."""
        lineage = Lineage(self.board.contributions)
        history = read_history()
        tree = self.environment.get_template("lineage.html")
        template = self.environment.get_template("contribution.html")
        for name, entries in self.board.by_name.items():
            nodes = lineage.tree(name)
            # The template has escaped every name in it.
            drawn = Markup(tree.render(nodes=nodes)) if nodes else ""  # noqa: S704
            content = contribution_page(self.board, name, entries, history.get(name, []))
            text = template.render(root="../", here="", lineage=drawn, **content)
            self.write(f"contributions/{name}.html", text)
            best = content["best"]
            self.write(f"badges/{name}.svg", downloads.badge_svg(best))

    def page(self, template: str, target: str, *, root: str = "../", **values: Any) -> None:
        """Render one page."""
        text = self.environment.get_template(template).render(root=root, **values)
        self.write(target, text)

    def write(self, target: str, text: str) -> None:
        """Write one text file with Unix line ends."""
        path = self.out / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
