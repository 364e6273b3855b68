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


HANDED = [
    (cells[2].strip(" `"), name)
    for cells in (line.split("|") for line in STATIONS)
    for name in re.findall(r"`(\w+)`", cells[4])
]


@pytest.mark.parametrize(("file", "name"), HANDED)
def test_what_a_station_hands_on_is_a_name_of_its_code(file: str, name: str):
    code = (paths.ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", code), file


def test_most_stations_hand_on_something_with_a_name():
    assert len({file for file, _ in HANDED}) > len(STATIONS) / 2
