"""docs/architecture.md names files that exist, and hands on what its stations' code does."""

from __future__ import annotations

import re

import pytest

from harness import paths

PAGE = (paths.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
STATIONS = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \| `", line)]
MOST_STATIONS = 20


def test_the_way_has_at_most_twenty_stations():
    numbers = [int(line.split("|")[1]) for line in STATIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 0 < len(numbers) <= MOST_STATIONS


TOP = (
    "harness",
    "toolkit",
    "src",
    "tests",
    "docs",
    "tracks",
    "recipes",
    "benchmarks",
    "leaderboard",
)
PLACES = sorted(set(re.findall(rf"`((?:{'|'.join(TOP)})/[\w./-]*)`", PAGE)))


@pytest.mark.parametrize("place", PLACES)
def test_every_place_that_the_page_names_is_there(place: str):
    assert (paths.ROOT / place).exists()


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (5, "Contribution"),
        (6, "Attempt"),
        (7, "Finding"),
        (8, "GateJob"),
        (11, "TrainJob"),
        (12, "Answer"),
        (16, "ScoreJob"),
        (17, "ScoreAnswer"),
        (18, "Verdict"),
        (19, "Row"),
    ],
)
def test_what_a_station_hands_on_is_a_name_of_its_code(number: int, name: str):
    _, _, file, _, handed, _ = STATIONS[number - 1].split("|")
    assert f"`{name}`" in handed
    code = (paths.ROOT / file.strip(" `")).read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", code), file
