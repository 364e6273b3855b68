"""What to begin with: three for a kind of task, and two lines for each, all from rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.board import advice
from harness.board.collect import collect
from tests.harness.board import synthetic_hub
from tests.harness.board.conftest import REAL_TRACKS


@pytest.fixture
def board(tmp_path):
    """A reference, three as good as each other, one much worse, one without a row."""
    with synthetic_hub.hub_at(tmp_path / "hub"):
        synthetic_hub.add_track(REAL_TRACKS, "robot", "The robot")
        for name in ("Best", "Near", "Other", "Worse", "New"):
            synthetic_hub.add_contribution(name, f"The idea {name}.")
        for name, gain in (("reference", 0.33), ("Best", 0.5), ("Near", 0.499), ("Other", 0.498),
                           ("Worse", 0.1)):  # fmt: skip
            synthetic_hub.record(synthetic_hub.make_row("robot", name, gain))
        yield collect()


def test_three_from_the_best_group_each_for_a_reason_of_its_own(board):
    found = advice.recommended("subject", board)
    assert sorted(one.name for one in found) == ["Best", "Near", "Other"]
    learns, small, gentle = (one.why for one in found)
    assert learns.startswith("learns most: gain")
    assert small.startswith("has the smallest file of the 3 best: ")
    assert gentle.startswith("changes other prompts least of the 3 best")
    entries = {entry.name: entry for entry in board.entries}
    assert found[0].name == max(entries.values(), key=lambda e: e.gain or 0).name
    rest = [entries[one.name] for one in found[1:]]
    assert (rest[0].adapter_bytes or 0) <= (rest[1].adapter_bytes or 0)


def test_where_costs_are_known_by_processor_time_the_cheapest_is_one_of_the_three(board):
    ratios = {"Best": 1.4, "Near": 1.2, "Other": 0.9}
    entries = [
        replace(e, time_ratio=ratios[e.name], cost_interval=(ratios[e.name], ratios[e.name]))
        for e in board.of_track("robot")
        if e.name in ratios
    ]
    learns, cheap, gentle = advice.three(entries, "robot")
    assert (learns.name, cheap.name, gentle.name) == ("Best", "Other", "Near")
    assert cheap.why.startswith("costs least of the 3 best: 0.90 times the reference's processor")


def test_where_two_that_are_left_were_swept_the_more_forgiving_one_has_the_least_risk(board):
    decades = {"Best": 2.0, "Near": 0.4, "Other": 1.3, "Worse": 0.9}
    entries = [
        replace(
            e,
            adapter_bytes=1 if e.name == "Near" else 10**6,
            drift=0.0 if e.name == "Worse" else 0.1,
            tolerance_decades=decades[e.name],
            tolerance_text=f"{decades[e.name]:.1f}",
        )
        for e in board.of_track("robot")
        if e.name in decades
    ]
    assert [one.name for one in advice.three(entries, "robot")] == ["Best", "Near", "Other"]
    last = advice.three(entries, "robot")[-1]
    assert last.why.startswith(
        "forgives most of the 2 others that were swept: learning rates over 1.3 decades stay within"
    )
    alone = [replace(e, tolerance_decades=None) if e.name == "Worse" else e for e in entries]
    last = advice.three(alone, "robot")[-1]  # nothing to compare with
    assert (last.name, last.why[:27]) == ("Worse", "changes other prompts least")


def test_a_best_group_of_one_or_two_is_filled_up_with_the_next(board):
    entries = [entry for entry in board.of_track("robot") if entry.placed]
    groups = dict(zip((entry.name for entry in entries), (1, 2, 2, 3, 3), strict=True))
    parted = [replace(entry, group=groups[entry.name]) for entry in entries]
    assert [entry.group for entry in advice.leading(parted)] == [1, 2, 2]


def test_nothing_is_recommended_where_nothing_was_measured(board):
    assert advice.recommended("style", board) == []
    assert list(advice.kinds(board)) == ["subject"]


def test_two_lines_for_each_and_none_is_made_up(board):
    lines = {one.name: one for one in advice.advised(board)}
    assert next(iter(lines)) == "reference"
    assert "times the reference's time" in lines["Best"].costs
    assert "MiB of memory" in lines["Best"].costs
    assert lines["New"].costs == "Not measured on the board."
    assert lines["New"].differs == "Its own make_lora; not measured yet."
    assert any(line.startswith("robot: gain") for line in lines["Worse"].more)


def test_the_recorded_board_has_three_for_each_kind():
    for kind in advice.kinds():
        assert len({one.name for one in advice.recommended(kind)}) == 3


def test_what_was_measured_to_differ_is_named_by_its_title():
    lines = {one.name: one.differs for one in advice.advised()}
    assert lines["LoHa"].startswith("Measured to differ in: How strong its change is;")
    assert "lora.rank = 2 (4)" in lines["GLoRA"]
    assert lines["reference"] == "What the others are compared with."
