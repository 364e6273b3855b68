"""Your own contest: a track of own pictures, contributions on it, a page that recommends one."""

from __future__ import annotations

import json
import tomllib

import pytest
from PIL import Image

from harness import paths
from harness.commands import whole_board
from harness.commands.cli import main
from harness.contributions import registry
from harness.gate.records import GateReport
from harness.protocol.gate_track import gate_track
from harness.protocol.track import load_track, own_track_names, track_names
from harness.runs.many.tasks import TaskResult
from harness.runs.own.make import read_record
from harness.runs.steps.gate import REPORT_FILE, gate_folder
from harness.scoring.jobs import ScoreAnswer
from tests.harness.runs.own.test_recommend import losses, row
from tests.situations.situation import good, write
from toolkit.picture_sets.layouts import read_folder


@pytest.fixture
def here(tmp_path, monkeypatch, random_base):
    """A folder with photos as somebody has them, and a hub of its own for what is made."""
    write(good(9, suffix=".jfif"), tmp_path)
    (tmp_path / "base").symlink_to(random_base)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("HUB_RUNS", str(tmp_path / "runs"))  # for the processes of a contest
    return tmp_path


def new(*options, code=0, name="photos", data="photos"):
    words = ["track", "new", name, "--data", data, "--base", "base", "--steps", "2", *options]
    assert main(words) == code


def captions(folder):
    return {path.stem: path.read_text() for path in (folder / "ImageCaptions").iterdir()}


def test_every_picture_is_on_one_side_with_its_caption(here, capsys):
    before = {path: path.read_bytes() for path in (here / "photos").iterdir()}
    new("--trigger-word", "sks mug", "--batch-size", "2")
    said = capsys.readouterr().out
    assert "6 pictures are taught, 3 held out" in said
    assert "One contribution takes about" in said
    assert "GiB" in said
    track = load_track("photos")
    taught, heldout = captions(track.train_dir), captions(track.heldout_dir)
    wanted = {one.path.stem: one.caption for one in read_folder(here / "photos").pictures}
    assert taught | heldout == wanted
    assert not taught.keys() & heldout.keys()
    for side in (track.train_dir, track.heldout_dir):
        assert {path.stem for path in (side / "Images").iterdir()} == set(captions(side))
    assert {path: path.read_bytes() for path in (here / "photos").iterdir()} == before
    record = read_record("photos")
    assert {name.partition(".")[0] for name in record.heldout} == set(heldout)
    instances = [prompt for prompt in track.file.prompts if prompt.kind == "instance"]
    assert {prompt.text for prompt in instances} <= set(heldout.values())
    assert (track.file.steps, track.file.batch_size) == (2, 2)
    # It is nobody's but the user's: the board does not know it.
    assert "photos" not in track_names()
    assert own_track_names() == ["photos"]


def test_the_same_command_again_changes_nothing_and_another_one_is_refused(here, capsys):
    new()
    made = load_track("photos").protocol_hash()
    new()
    assert "It is there already." in capsys.readouterr().out
    new("--split-seed", "3", code=2)
    assert "split-seed 0, now 3" in capsys.readouterr().err
    assert load_track("photos").protocol_hash() == made
    new("--split-seed", "3", "--fresh")
    assert load_track("photos").protocol_hash() != made
    assert main(["track", "list"]) == 0
    assert "photos" in capsys.readouterr().out


def test_a_track_may_be_edited(here):
    new()
    file = paths.RUNS / "tracks" / "photos" / "track.toml"
    text = file.read_text()
    before = load_track("photos").protocol_hash()
    assert tomllib.loads(text)["steps"] == 2
    file.write_text(text.replace("steps = 2", "steps = 3"))
    assert load_track("photos").file.steps == 3
    assert load_track("photos").protocol_hash() != before


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("robot", "taken by the hub"),
        ("trained", "taken by the hub"),
        ("My Photos", "small letters"),
    ],
)
def test_names_that_are_something_else_are_refused(here, capsys, name, says):
    new(name=name, code=2)
    assert says in capsys.readouterr().err
    assert own_track_names() == []


def test_pictures_that_training_would_refuse_make_no_track(here, capsys):
    (here / "photos" / "3.txt").unlink()
    new(code=1)
    assert "3.txt" in capsys.readouterr().err
    assert own_track_names() == []


def test_a_base_of_another_family_is_refused_before_it_is_loaded(here, capsys):
    (here / "other").mkdir()
    index = {"_class_name": "StableDiffusionXLPipeline"}
    (here / "other" / "model_index.json").write_text(json.dumps(index))
    assert main(["track", "new", "photos", "--data", "photos", "--base", "other"]) == 1
    assert "SDXL" in capsys.readouterr().err


def test_rows_of_own_pictures_are_not_recorded(here, capsys):
    new()
    commands = (
        ["contribution", "Rank16", "--record"],
        ["contribution", "Rank16", "DoRA", "--record"],
        ["contribution", "--all", "--record"],
        ["controls", "--record"],
        ["calibrate"],
        ["plan", "--executor", "local", "--record"],
        ["plan", "--executor", "local", "--out", "rows"],
    )
    for words in commands:
        assert main([*words, "--track", "photos"]) == 2
        assert "Rows of your own pictures stay in runs/" in capsys.readouterr().err


def answer(name, track, mean, number):
    """What a run of a contribution leaves."""
    place = f"{track}/{name}/{number:012x}"
    folder = paths.RUNS / place / "score"
    folder.mkdir(parents=True, exist_ok=True)
    prompts = len(load_track(track).file.prompts)
    files = {}
    for slot, label in enumerate(("base", name)):
        files[label] = tuple(f"{slot}-{n}.png" for n in range(prompts))
        for file in files[label]:
            Image.new("RGB", (8, 8), (number, slot, 0)).save(folder / file)
    (folder / "answer.json").write_text(ScoreAnswer(pictures=files).model_dump_json())
    found = row(name, losses(mean, noise=0.01, number=number), track=track)
    return TaskResult(contribution=name, track=track, status="ok", row=found, folder=place)


@pytest.fixture
def answered(monkeypatch):
    """Contests whose runs are answered at once: name -> mean held-out loss."""
    asked = []

    def run_local(planned, listener, jobs=None):
        means = {"reference": 0.6, "DoRA": 0.4, "Rank16": 0.5}
        for one in planned:
            asked.append(one)
        return [
            answer(one.task.contribution, one.task.track, means.get(one.task.contribution, 0.7), n)
            for n, one in enumerate(planned)
        ]

    monkeypatch.setattr(whole_board, "run_local", run_local)
    gate_took(40.0, "reference")
    return asked


def gate_took(seconds, name):
    """A report of a gate that was passed here."""
    reference = registry.load_reference()
    ground = gate_track(load_track("robot"))
    folder = gate_folder(registry.load_any(name), reference, ground)
    folder.mkdir(parents=True)
    report = GateReport(contribution=name, outcomes=(), wall_seconds=seconds)
    (folder / REPORT_FILE).write_text(report.model_dump_json())


def test_a_contest_ends_with_a_recommendation_and_the_commands_for_it(here, answered, capsys):
    new("--trigger-word", "sks mug")
    assert main(["contribution", "DoRA", "Rank16", "--track", "photos"]) == 0
    said = capsys.readouterr().out
    assert [one.task.contribution for one in answered] == ["reference", "DoRA", "Rank16"]
    # Foretold before it starts, from the pace of the base.
    assert all(one.seconds and one.memory_bytes for one in answered)
    assert "The rest takes about" in said
    assert "Take DoRA: its gain is" in said
    assert f"nox -s train -- DoRA --data {here / 'photos'} --base base" in said
    assert "nox -s export -- DoRA" in said
    page = (paths.RUNS / "photos" / "contest.html").read_text(encoding="utf-8")
    assert "Take DoRA" in page
    assert page.count("data:image/webp") > 3 * 4
    assert "http" not in page.partition("<style>")[2]


def test_the_gates_that_are_ahead_are_part_of_the_estimate(here, answered, capsys):
    new()
    gate_took(30.0, "DoRA")
    alone = ["contribution", "DoRA", "Rank16", "Rank64", "--track", "photos", "--jobs", "1"]
    assert main([*alone, "--skip-gate"]) == 0
    assert "gates)" not in capsys.readouterr().out
    without = sum(one.seconds for one in answered)
    answered.clear()
    assert main(alone) == 0
    # The reference's took 40 s here; DoRA was through its own.
    assert "(80 s of it for 2 gates)" in capsys.readouterr().out
    assert sum(one.seconds for one in answered) == pytest.approx(without + 2 * 40.0)


def test_all_of_an_own_track_are_the_contributions_without_the_hub_s_controls(here, answered):
    new()
    assert main(["contribution", "--all", "--track", "photos", "--seeds", "5"]) == 0
    asked = {one.task.contribution for one in answered}
    assert {"reference", "DoRA", "Rank16"} <= asked
    assert not {"Memoriser", "Untouched"} & asked
    # All seeds in one go: who is behind is not stopped, or the seeds would differ.
    assert all(one.task.seeds == (0, 1, 2, 3, 4) and not one.task.thorough for one in answered)


def test_several_on_a_track_of_the_hub_are_compared_as_well(here, answered, capsys):
    assert main(["contribution", "DoRA", "Rank16"]) == 0
    said = capsys.readouterr().out
    assert "Take DoRA" in said
    assert "nox -s train" not in said  # nobody's pictures
