"""Choose the pictures of the correctness gate."""

from __future__ import annotations

from harness.protocol.track import DEFAULT_TRACK, Track, load_track, track_names


def gate_track(track: Track) -> Track:
    """Return the track whose pictures the gate uses: the default one, if its base is the same.

    The gate judges code, not pictures. So tracks on one base model share its report, and a
    contribution goes through it once, not once per track; and a person's own pictures, which may be
    anything, decide nothing there.
    """
    if DEFAULT_TRACK not in track_names():
        return track
    default = load_track(DEFAULT_TRACK)
    return default if track.is_own or default.base_model == track.base_model else track
