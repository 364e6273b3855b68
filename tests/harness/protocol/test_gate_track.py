"""Whose pictures the gate uses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.protocol.gate_track import gate_track
from harness.protocol.track import DEFAULT_TRACK, load_track, track_names


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
