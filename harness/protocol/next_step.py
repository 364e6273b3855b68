"""What you can type next: commands with the words of your track."""

from __future__ import annotations

from harness.protocol.track import DEFAULT_TRACK
from harness.protocol.track_file import TrackFile


def draw_command(name: str, track: TrackFile) -> str:
    """Return the command that draws what a contribution has learnt on a track.

    The prompt is the track's first of kind `context`: what was taught, as it was not shown.
    """
    prompt = track.texts[track.of_kind("context")[0]]
    return f'nox -s generate -- {name}{of_track(track)} --prompt "{prompt}"'


def run_command(name: str, track: TrackFile) -> str:
    """Return the command that trains and judges a contribution on a track."""
    return f"nox -s contribution -- {name}{of_track(track)}"


def verify_command(name: str, track: TrackFile) -> str:
    """Return the command that runs a recorded row again and says whether it agrees."""
    return f"nox -s verify -- {name}{of_track(track)}"


def of_track(track: TrackFile) -> str:
    """Return the option that names a track; the default one needs none."""
    return "" if track.name == DEFAULT_TRACK else f" --track {track.name}"
