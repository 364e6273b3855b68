"""The first sentences of site and README: which contribution for which kind of task."""

from __future__ import annotations

from typing import NamedTuple

from harness.board import advice
from harness.board.advice import Recommended
from harness.board.collect import Board
from harness.board.entries import Entry
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
    title: str  # of the track
    first: list[Recommended]  # three, the one that learns most first
    sheet: Sheet | None  # with pictures of the first
    prompt: str  # that the first row of its pictures was drawn for


def openings(board: Board) -> list[Opening]:
    """Return one for each kind of task that has rows, in the order of ``WANTED``."""
    found = []
    for kind, wanted in WANTED.items():
        for track in (t for t in board.tracks if t.file.kind == kind):
            first = advice.recommended(kind, board)
            entry = entry_of(board, track.file.name, first)
            if entry is not None:
                sheet = sheet_of(entry)
                shown = sheet if sheet is not None and sheet.columns > OWN else None
                prompt = track.file.texts[track.file.shown[0]]
                found.append(
                    Opening(wanted, track.file.name, track.file.title, first, shown, prompt)
                )
                break  # recommended by this track alone
    return found


def entry_of(board: Board, track: str, first: list[Recommended]) -> Entry | None:
    """Return the entry of the first one on a track, or None."""
    names = [one.name for one in first[:1]]
    return next((e for e in board.of_track(track) if e.name in names), None)
