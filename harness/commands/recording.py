"""Whose rows may be stored on the board."""

from __future__ import annotations

from harness.protocol.track import Track, load_track
from toolkit.core.errors import UsageError


def is_own(track: str) -> bool:
    """Tell whether a track's name is that of an own track."""
    return track != "all" and load_track(track).is_own


def refuse_record(track: Track) -> None:
    """Refuse to store a row that the board could not show.

    Raises:
        UsageError: The track is of the user's own pictures.
    """
    if track.is_own:
        raise UsageError(
            "Rows of your own pictures stay in runs/: the board has the hub's tracks only.",
            fix="Omit what stores rows; --seeds 5 trains as often as a recorded row.",
        )
