"""The benchmark of whole programs: its sums, its page, and that a program which fails stops it."""

from __future__ import annotations

import json

import pytest

from benchmarks.whole_process import (
    FLOOR,
    Cost,
    Program,
    as_image_folder,
    measured,
    render,
    summary,
)

FLOORS = [Cost(5.0, 11.0, 10.0, 400.0), Cost(6.0, 12.0, 12.0, 410.0), Cost(7.0, 13.0, 14.0, 420.0)]
OURS = [Cost(4.0, 9.0, 5.0, 300.0), Cost(4.5, 9.5, 9.0, 310.0), Cost(None, 9.9, 7.0, 305.0)]


def test_ratios_are_of_the_same_round():
    found = summary(OURS, FLOORS)
    assert found["cpu_ratio"] == [0.5, 0.5, 0.75]  # 5/10, 9/12, 7/14: median, least, most
    assert found["wall_s"] == 9.5
    assert found["first_step_s"] == 4.25
    assert found["peak_mib"] == 310


def test_the_page_says_what_was_left_out():
    machine = {"processor": "A processor", "packages": {"torch": "2"}}
    programs = {FLOOR: summary(FLOORS, FLOORS), "hub": summary(OURS, FLOORS)}
    known = {"steps": 100, "rounds": 3, "machine": machine, "programs": programs}
    assert "| hub | 4.2 | 9.5 | 7.0 | 0.50 (0.50 to 0.75) | 310 |" in render(known)
    assert "no path to it was given" in render(known)
    known["programs"] = {**programs, "diffusers' example": summary(OURS, FLOORS)}
    assert "no path to it was given" not in render(known)


def test_the_peers_pictures_are_the_tracks_with_their_captions(tmp_path):
    folder = as_image_folder(tmp_path / "data")
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert {line["file_name"] for line in lines} == {file.name for file in folder.glob("*.png")}
    assert all("robot" in line["text"] for line in lines)


def test_a_program_that_fails_is_no_fast_program(tmp_path):
    broken = Program("broken", ("-c", "raise SystemExit('out of luck')"), noted=False)
    with pytest.raises(SystemExit, match="out of luck"):
        measured(broken, tmp_path / "out")
    silent = Program("silent", ("-c", "pass"), noted=False)
    with pytest.raises(SystemExit, match="silent failed"):
        measured(silent, tmp_path / "out")
