"""The benchmark of whole programs: its sums, its page, and that a program which fails stops it."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest
import torch
from safetensors.torch import save_file

from benchmarks import page, whole_process
from benchmarks.page import DIFFUSERS, FLOOR, HUB_BARE, KOHYA, PEERS
from benchmarks.programs import Program, as_image_folder, as_kohya_folder, programs
from benchmarks.whole_process import Cost, measured, size_of, steps_of, summary, targets

FLOORS = [
    Cost(72, 900, 5.0, 0.05, 11.0, 10.0, 400.0),
    Cost(72, 900, 6.0, 0.06, 12.0, 12.0, 410.0),
    Cost(72, 900, 7.0, 0.07, 13.0, 14.0, 420.0),
]
OURS = [
    Cost(70, 800, 4.0, 0.04, 9.0, 5.0, 300.0),
    Cost(70, 800, 4.5, 0.05, 9.5, 9.0, 310.0),
    Cost(70, 800, None, None, 9.9, 7.0, 305.0),
]
NOTED = [*OURS[:2], Cost(70, 800, 5.0, 0.06, 9.9, 7.0, 305.0)]
NO_PEERS = Namespace(steps=100, diffusers=None, peft=None, kohya=None)


def test_ratios_are_of_the_same_round():
    found = summary(OURS, FLOORS)
    assert found["cpu_ratio"] == [0.5, 0.5, 0.75]  # 5/10, 9/12, 7/14: median, least, most
    assert found["wall_s"] == 9.5
    assert found["first_step_s"] == 4.25
    assert found["step_cpu_s"] == 0.045
    assert found["peak_mib"] == 310
    assert (found["layers"], found["parameters"]) == (70, 800)


def test_targets_are_against_the_best_peer_of_each_round():
    costs = {FLOOR: FLOORS, HUB_BARE: NOTED, DIFFUSERS: FLOORS, KOHYA: FLOORS[::-1]}
    found = targets(costs)
    assert found["step, to the floor's"]["ratio"] == 0.83  # 0.8, 0.83, 0.86
    walls = found["whole process, to the fastest peer's"]
    assert (walls["low"], walls["ratio"], walls["high"]) == (0.79, 0.82, 0.9)  # 11, 12, 11
    assert found["peak memory, to the lowest peer's"]["high"] == 0.76
    assert found["start to first step, to diffusers'"]["ratio"] == 0.75
    assert set(targets({FLOOR: FLOORS, HUB_BARE: NOTED})) == {"step, to the floor's"}
    with pytest.raises(SystemExit, match="has no step"):
        targets({FLOOR: FLOORS, HUB_BARE: OURS})


def test_a_file_says_how_much_was_trained(tmp_path):
    tensors = {"a.lora_down.weight": torch.zeros(2, 5), "a.lora_up.weight": torch.zeros(3, 2)}
    save_file(tensors | {"a.alpha": torch.tensor(1.0)}, tmp_path / "lora.safetensors")
    assert size_of(tmp_path / "lora.safetensors") == (1, 16)


def test_a_step_is_measured_once_it_is_warm():
    noted = "".join(f"{100.0 + i} {seconds}\n" for i, seconds in enumerate([1, 3, 5, 7, 8, 9]))
    assert steps_of(noted) == (100.0, 1.0)
    assert steps_of("100.0 1.0\n") == (100.0, None)


def test_the_page_says_what_was_left_out():
    machine = {"processor": "A processor", "packages": {"torch": "2"}}
    ran = {FLOOR: summary(FLOORS, FLOORS), "hub": summary(OURS, FLOORS)}
    case = {"programs": ran, "targets": targets({FLOOR: FLOORS, HUB_BARE: NOTED})}
    known = {"steps": 100, "rounds": 3, "machine": machine, "cases": {"batch 1": case}}

    def render(known):
        return page.page("whole_process", {"whole_process": known})

    line = "| hub | 4.2 | 0.045 | 9.5 | 7.0 | 0.50 (0.50 to 0.75) | 310 | 70, 800 |"
    assert line in render(known)
    assert "| step, to the floor's | 0.85 | 0.83 (0.80 to 0.86) | met |" in render(known)
    assert f"no path was given: {', '.join(PEERS)}." in render(known)
    case["programs"] = ran | {peer: summary(OURS, FLOORS) for peer in PEERS}
    assert "no path was given" not in render(known)


def test_the_peers_pictures_are_the_tracks_with_their_captions(tmp_path):
    folder, kohyas = tmp_path / "data", tmp_path / "kohya"
    as_image_folder(folder)
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert {line["file_name"] for line in lines} == {file.name for file in folder.glob("*.png")}
    assert all("robot" in line["text"] for line in lines)
    as_kohya_folder(kohyas)
    captions = {file.read_text().strip() for file in kohyas.rglob("*.txt")}
    assert captions == {line["text"] for line in lines}


def test_a_peer_takes_part_when_its_path_is_given(tmp_path):
    own = programs(NO_PEERS, 4, tmp_path)
    assert not {one.name for one in own} & set(PEERS)
    assert {FLOOR, HUB_BARE} < {one.name for one in own}
    given = {"diffusers": tmp_path / "d.py", "peft": tmp_path / "p.py", "kohya": tmp_path / "k"}
    options = Namespace(steps=7, **given, python="one", kohya_python="other")
    found = programs(options, 4, tmp_path)[len(own) :]
    assert [one.name for one in found] == list(PEERS)
    assert [one.python for one in found] == ["one", "one", "other"]
    assert all({"4", "7"} <= set(one.arguments) for one in found)  # batch and steps
    assert all(str(path) in one.arguments for path, one in zip(given.values(), found, strict=True))
    assert "a sks robot" in found[1].arguments


def test_figures_of_peers_are_not_lost_by_accident(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_process, "RESULTS", tmp_path)
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    assert whole_process.lost_peers(NO_PEERS) == []
    case = {"programs": {DIFFUSERS: {}, KOHYA: {}}}
    (tmp_path / "whole_process.json").write_text(json.dumps({"cases": {"batch 1": case}}))
    assert whole_process.lost_peers(NO_PEERS) == [DIFFUSERS, KOHYA]
    given = Namespace(diffusers="a", peft=None, kohya=None)
    assert whole_process.lost_peers(given) == [KOHYA]


def test_a_program_that_fails_is_no_fast_program(tmp_path):
    broken = Program("broken", ("-c", "raise SystemExit('out of luck')"), noted=False)
    with pytest.raises(SystemExit, match="out of luck"):
        measured(broken, tmp_path / "out")
    silent = Program("silent", ("-c", "pass"), noted=False)
    with pytest.raises(SystemExit, match="silent failed"):
        measured(silent, tmp_path / "out")
