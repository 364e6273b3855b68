"""The first sentences of site and README."""

from __future__ import annotations

import re

from harness.board.advice import recommended
from harness.board.blocks import readme_block
from harness.board.collect import collect
from harness.board.opening import WANTED, openings
from tests.harness.board import synthetic_hub
from tests.harness.board.conftest import REAL_TRACKS


def test_the_recorded_board_opens_with_three_for_each_kind_and_a_picture_of_the_first():
    board = collect()
    found = openings(board)
    assert [one.wanted for one in found] == list(WANTED.values())
    for kind, one in zip(WANTED, found, strict=True):
        assert one.first == recommended(kind, board)
        assert one.sheet is not None
        assert one.sheet.file.name == f"{one.first[0].name}.webp"
        row = next(e for e in board.of_track(one.track) if e.name == one.first[0].name)
        assert f"{100 * (row.gain or 0):.1f} %" in one.first[0].why


def test_a_kind_without_rows_is_left_out(tmp_path):
    with synthetic_hub.hub_at(tmp_path / "hub"):
        synthetic_hub.add_track(REAL_TRACKS, "robot", "The robot")
        synthetic_hub.add_contribution("One", "The idea of one.")
        assert openings(collect()) == []
        assert "To teach" not in readme_block(collect())
        for name, gain in (("reference", 0.33), ("One", 0.4)):
            synthetic_hub.record(synthetic_hub.make_row("robot", name, gain))
        (found,) = openings(collect())
        assert (found.wanted, found.first[0].name) == (WANTED["subject"], "One")
        block = readme_block(collect())
        assert re.search(r"- \*\*To teach one thing, such as your mug\*\*: \[One\]", block)
