"""The README's first picture: the page of a run, made from Example1's stored row.

``python -m benchmarks.screenshots`` takes it with the documentation's other pictures. The page is
the one that every run writes; its table is cut down to this row and the reference's, so that
another contribution's row does not change the picture. A file beside it keeps the digests of
what it was made from; a test compares them with the files of today.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import paths
from harness.protocol.row_files import read_row
from harness.protocol.track import load_track
from harness.runs.page import SHEET_SIDE_PX, write_page
from harness.runs.steps.columns import OWN, TRAINED_ON
from toolkit.core import atomic
from toolkit.images.sheet import CAPTION_PX, GAP_PX, LABEL_PX, open_picture

TRACK, NAME = "robot", "Example1"
PICTURE, DIGESTS = "verdict.webp", "verdict.json"
WIDTH_PX, HEIGHT_PX = 1220, 928
COLUMNS = (TRAINED_ON, "base", "reference", NAME, OWN)

# Two prompts, this row and the reference's, and no text below the pictures; the table may be wide.
SHORTEN = """(() => {
  document.body.style.maxWidth = 'none';
  document.documentElement.style.scrollbarWidth = 'none';
  for (const row of document.querySelectorAll('tbody tr')) {
    const name = row.cells[0].textContent;
    const others = row.cells.length === 7 || row.querySelector('[colspan="7"]');
    if (others && !row.matches('.you') && name !== 'reference') row.remove();
  }
  const titles = [...document.querySelectorAll('h2')];
  const pictures = titles.find(h => h.textContent === 'Same prompt, same seed');
  pictures.nextElementSibling.nextElementSibling.remove();
  for (const row of [...document.querySelectorAll('.pictures tbody tr')].slice(4)) row.remove();
})()"""


def sources() -> dict[str, str]:
    """Return what the picture shows, file by file -> sha256: rows, drawings and the page itself."""
    stored = paths.RESULTS / TRACK
    files = (
        stored / f"{NAME}.json",
        stored / f"{NAME}.webp",
        stored / "reference.json",
        paths.ROOT / "harness" / "runs" / "templates" / "page.html",
    )
    return {
        file.relative_to(paths.ROOT).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def write(folder: Path) -> Path:
    """Write the page of the stored row into ``folder`` and return its path."""
    track, row = load_track(TRACK), read_row(paths.RESULTS / TRACK / f"{NAME}.json")
    shown = tuple(track.file.prompts[number] for number in track.file.shown)
    cells = cut(paths.RESULTS / TRACK / f"{NAME}.webp", len(COLUMNS), len(shown), folder)
    page = folder / "page.html"
    few = replace(track, file=track.file.model_copy(update={"prompts": shown}))
    write_page(page, row, (), list(zip(COLUMNS, cells, strict=True)), few)
    return page


def cut(sheet: Path, columns: int, prompts: int, folder: Path) -> list[list[Path]]:
    """Cut a comparison sheet into its pictures: one list per column, one file per prompt."""
    picture = open_picture(sheet)
    step = SHEET_SIDE_PX + GAP_PX
    lefts = range(GAP_PX, picture.width, step)
    tops = range(LABEL_PX, picture.height - GAP_PX, step + CAPTION_PX)
    if (len(lefts), len(tops)) != (columns, prompts):
        raise SystemExit(f"error: {sheet} has another layout than {columns} x {prompts} pictures")
    cells: list[list[Path]] = []
    for column, left in enumerate(lefts):
        cells.append([])
        for prompt, top in enumerate(tops):
            file = folder / f"{column}-{prompt}.png"
            picture.crop((left, top, left + SHEET_SIDE_PX, top + SHEET_SIDE_PX)).save(file)
            cells[-1].append(file)
    return cells


def photograph(tab: Any, folder: Path) -> Path:
    """Open the page in a browser's tab and return a PNG of its beginning."""
    tab.show(WIDTH_PX, HEIGHT_PX)
    tab.open(write(folder).resolve().as_uri())
    tab.run(SHORTEN)
    shot = folder / "verdict.png"
    tab.screenshot(shot)
    return shot


def write_digests(out: Path) -> None:
    """Note beside the picture what it was made from."""
    atomic.write_text(out / DIGESTS, json.dumps(sources(), indent=1) + "\n")
