"""The first sentences of site and README: which contribution for which kind of task."""

from __future__ import annotations

from typing import NamedTuple

from harness.board import advice
from harness.board.advice import Recommended
from harness.board.collect import Board
from harness.board.sheets import OWN, Sheet, sheet_of

# Kind of track -> what a user wants.
WANTED = {
    "subject": "one thing, such as your mug",
    "style": "a style",
    "binding": "which colour belongs to which part",
}


class Opening(NamedTuple):
    """What to begin with for one kind of task."""

    wanted: str  # what the user wants to teach
    track: str
    first: list[Recommended]  # three, the one that learns most first
    sheet: Sheet | None  # with pictures of the first
    prompt: str  # that the first row of its pictures was drawn for


def openings(board: Board) -> list[Opening]:
    """Return one for each kind of task that has rows, in the order of ``WANTED``."""
    found = []
    for kind, wanted in WANTED.items():
        track = advice.track_of(kind, board)
        if track is not None:
            first = advice.recommended(kind, board)
            sheet = sheet_of(next(e for e in board.of_track(track.name) if e.name == first[0].name))
            shown = sheet if sheet is not None and sheet.columns > OWN else None
            found.append(Opening(wanted, track.name, first, shown, track.texts[track.shown[0]]))
    return found
