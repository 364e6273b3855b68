"""Whose pictures the gate uses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.protocol.gate_track import gate_track
from harness.protocol.track import DEFAULT_TRACK, load_track, own_tracks, track_names


@pytest.mark.parametrize("name", track_names())
def test_tracks_on_one_base_model_share_a_gate(name: str) -> None:
    track = load_track(name)
    shared = gate_track(track)
    assert shared.base_model == track.base_model
    if track.base_model == load_track(DEFAULT_TRACK).base_model:
        assert shared.file.name == DEFAULT_TRACK


def test_a_track_on_another_base_model_has_a_gate_of_its_own() -> None:
    track = load_track("streamline")
    other = replace(track, file=track.file.model_copy(update={"base_model": "models/another"}))
    assert gate_track(other) is other


def test_own_pictures_decide_nothing_at_the_gate() -> None:
    track = load_track("streamline")
    file = track.file.model_copy(update={"base_model": "/somewhere/model.safetensors"})
    own = replace(track, file=file, folder=own_tracks() / "photos")
    assert own.is_own
    assert gate_track(own).file.name == DEFAULT_TRACK
