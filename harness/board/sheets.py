"""The contact sheets of rows: where they are, and where in them a model's pictures lie."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness import paths
from harness.board.entries import Entry
from harness.runs.page import SHEET_SIDE_PX
from toolkit.images.guarded import guarded
from toolkit.images.limits import FORMATS
from toolkit.images.sheet import CAPTION_PX, GAP_PX, LABEL_PX, UNREADABLE

MAX_COLUMNS, MAX_PROMPTS = 6, 12
MOST_LOOKED_AT, LOOK_PX = 60, 16
# Columns of a sheet, after the pictures it was trained on. Where there is no model that the trusted
# sampler could draw with (an unmergeable adapter), its own pictures stand in the third place.
BASE, REFERENCE, OWN = 1, 2, 3


@dataclass(frozen=True)
class Sheet:
    """One sheet as the pages show it."""

    file: Path
    source: str  # address, relative to a page one folder down
    width: int
    height: int
    columns: int
    prompts: int


def sheet_of(entry: Entry) -> Sheet | None:
    """Return the sheet that was recorded with a row, or None. Only its header is read.

    A pending entry may have one of an older hub, with other columns: it is not shown. Neither is
    one that is no picture: a damaged sheet stops no other page.
    """
    file = paths.RESULTS / entry.track / f"{entry.name}.webp"
    if entry.state == "pending" or file.is_symlink() or not file.is_file():
        return None
    try:
        with guarded(), Image.open(file, formats=FORMATS) as picture:
            width, height = picture.size
    except UNREADABLE:
        print(f"{file.relative_to(paths.RESULTS)}: no picture, so it is not shown", file=sys.stderr)
        return None
    step = SHEET_SIDE_PX + GAP_PX
    columns, column_rest = divmod(width - GAP_PX, step)
    prompts, prompt_rest = divmod(height - LABEL_PX - GAP_PX, step + CAPTION_PX)
    if column_rest or prompt_rest:
        columns = prompts = 0  # laid out by another version of the hub: shown whole only
    source = f"../sheets/{entry.track}/{entry.name}.webp"
    return Sheet(file, source, width, height, columns, prompts)


def prompt_that_differs(sheets: Sequence[Sheet]) -> int:
    """Return the prompt whose pictures differ most from method to method, 0 without pictures.

    Args:
        sheets: Of methods; of many, some spread over them are looked at.
    """
    looked_at = sheets[:: -(-len(sheets) // MOST_LOOKED_AT) or 1]
    found = [cells for sheet in looked_at if (cells := own_cells(sheet)) is not None]
    if not found:
        return 0
    rows = min(len(cells) for cells in found)
    pictures = np.stack([cells[:rows] for cells in found])  # (sheets, prompts, side, side, 3)
    return int(pictures.std(axis=0).mean(axis=(1, 2, 3)).argmax())


def own_cells(sheet: Sheet) -> NDArray[np.float32] | None:
    """Return a method's own pictures, small: (prompts, side, side, 3); None without any."""
    if sheet.columns <= OWN or not sheet.prompts:
        return None
    step, left = SHEET_SIDE_PX + GAP_PX, GAP_PX + OWN * (SHEET_SIDE_PX + GAP_PX)
    try:
        with guarded(), Image.open(sheet.file, formats=FORMATS) as picture:
            whole = picture.convert("RGB")
    except UNREADABLE:
        return None  # damaged after its header: the page shows what a browser makes of it
    cells = []
    for prompt in range(sheet.prompts):
        top = LABEL_PX + prompt * (step + CAPTION_PX)
        cell = whole.crop((left, top, left + SHEET_SIDE_PX, top + SHEET_SIDE_PX))
        cells.append(np.asarray(cell.resize((LOOK_PX, LOOK_PX)), dtype=np.float32))
    return np.stack(cells)


def gallery_css() -> str:
    """Return the rules that move a sheet so that one of its cells shows."""
    step = SHEET_SIDE_PX + GAP_PX
    lines = [
        f".c{column} img {{ left: -{GAP_PX + column * step}px; }}" for column in range(MAX_COLUMNS)
    ]
    lines += [
        f".p{prompt} .shot img {{ top: -{LABEL_PX + prompt * (step + CAPTION_PX)}px; }}"
        for prompt in range(MAX_PROMPTS)
    ]
    return "\n".join(lines) + "\n"
