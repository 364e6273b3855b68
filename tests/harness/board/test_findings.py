"""What docs/findings.md says, and its plots."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from harness.board.collect import collect
from harness.board.entries import EXACTLY
from harness.board.findings import clock_noise, compared, findings_block, ranks
from harness.board.forest import forest
from tests.harness.board.conftest import REAL_TRACKS
from tests.harness.board.synthetic_hub import add_contribution, add_track, make_row, record

GAINS = {"One": 0.36, "Two": 0.30, "Three": 0.33, "Four": 0.34, "Five": 0.20}


@pytest.fixture
def taught(small):
    add_track(REAL_TRACKS, "other", "The other")
    for name in ("Three", "Four", "Five"):
        add_contribution(name)
    for name, gain in {"reference": 0.33, **GAINS}.items():
        record(make_row("robot", name, gain))
        record(make_row("other", name, gain - 0.02 if name == "One" else gain))
    return collect()


def test_the_block_counts_what_is_real_and_what_is_not(taught):
    text = findings_block(taught)
    assert (
        "- `robot`: of 5 contributions 2 are better than the reference, 2 are worse, 1 show" in text
    )
    assert "- `other` and `robot` order 5 contributions alike to +0.90." in text


def test_the_table_is_sorted_by_the_mean_difference_and_marks_only_real_ones(taught):
    lines = [line for line in findings_block(taught).splitlines() if line.startswith("| ")]
    names = [line.split(" | ")[0].removeprefix("| ") for line in lines[1:]]
    assert names == sorted(GAINS, key=lambda name: -GAINS[name])
    one = next(line for line in lines if line.startswith("| One "))
    assert "**+** +2.9 ±" in one
    three = next(line for line in lines if line.startswith("| Three "))
    assert "**" not in three


def test_a_recipe_is_called_one(taught):
    entries = [
        replace(entry, own_hooks=(), taken=("train of Two",)) if entry.name == "One" else entry
        for entry in taught.entries
    ]
    text = findings_block(replace(taught, entries=tuple(entries)))
    assert "| One | recipe |" in text


def test_the_times_of_the_references_twins_are_told_as_noise(taught):
    entries = [
        replace(entry, outcome=EXACTLY, time_ratio=ratio)
        for entry, ratio in zip(compared(taught, "robot")[:2], (0.9, 1.2), strict=True)
    ]
    twins = replace(taught, entries=tuple(entries))
    (said,) = clock_noise(twins, ["robot"])
    assert "lie between 0.90 and 1.20" in said
    assert list(clock_noise(taught, ["robot"])) == []


def test_equal_values_share_a_rank():
    assert ranks([0.3, 0.1, 0.3, 0.2]) == [3.5, 1.0, 3.5, 2.0]


def test_a_track_without_rows_says_so(small):
    assert "- `robot`: nothing measured yet." in findings_block(collect())


def test_the_plot_has_a_line_for_everybody_and_is_whole(taught):
    root = ET.fromstring(forest("<The> robot", compared(taught, "robot")))
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "<The> robot" in texts
    assert set(GAINS) <= set(texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == len(GAINS)


def test_an_empty_plot_is_a_plot(small):
    assert ET.fromstring(forest("Empty", [])).tag.endswith("svg")
