"""Train on one's own pictures, draw and export what was trained, go on, start from a file."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from safetensors import safe_open

from harness import paths
from harness.commands.cli import main
from tests.harness.forked import fork_children
from tests.situations.situation import good, write
from toolkit.lora_files.cli import main as lora

SHORT = ("--num-inference-steps", "1", "--batch-size", "1", "--prompt", "a mug")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with photos as somebody has them, in a hub of its own."""
    write({**good(4, suffix=".jfif"), "photos/5.tga": 5, "photos/5.txt": "a mug"}, tmp_path)
    (tmp_path / "models").symlink_to(paths.ROOT / "models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    fork_children(monkeypatch, "harness.commands.train", "harness.commands.generate")
    return tmp_path


def train(name, *options, code=0):
    assert main(["train", name, "--data", "photos", *SHORT, *options]) == code


def drawing(path):
    with Image.open(path) as image:
        return json.loads(image.text["hub"])


def test_what_was_trained_last_is_drawn_and_exported(here, capsys):
    # Example1's own make_dataset reads PNG, JPEG and WebP in the layout of the contract only.
    train("Example1", "--steps", "1", "--rank", "3")
    trained = here / "runs" / "trained" / "Example1"
    assert not (trained / "pictures-of-the-run").exists()
    capsys.readouterr()
    draw = ["generate", "Example1", "--config", str(trained / "plan.toml")]
    assert main(draw) == 0
    shown = capsys.readouterr().out
    assert "Drawing with" in shown
    assert "trained/Example1/adapter.safetensors" in shown
    (one,) = (here / "runs" / "generated" / "Example1").glob("a-mug-*.png")
    before = one.read_bytes()
    assert drawing(one)["prompts"] == ["a mug"]

    # Another guidance is another picture, and the same command the same one.
    assert main([*draw, "--guidance", "5"]) == 0
    assert main(draw) == 0
    pictures = sorted(one.parent.glob("a-mug-*.png"))
    assert [path.name for path in pictures] == ["a-mug-0-2.png", "a-mug-0.png"]
    assert one.read_bytes() == before

    out = here / "mug.safetensors"
    assert main(["export", "Example1", "--no-pictures", "--out", str(out)]) == 0
    with safe_open(out, "pt") as file:
        assert any(name.endswith("lora_up.weight") for name in file.keys())  # noqa: SIM118
        assert file.metadata()["modelspec.resolution"] == "64x64"
    capsys.readouterr()
    assert lora(["inspect", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "the hub's embedded base, models/tiny-sd" in shown
    assert "another base model" not in shown


def test_a_run_goes_on_with_more_steps_and_with_rubbish_beside_its_pictures(here, capsys):
    train("Rank16", "--steps", "1")
    capsys.readouterr()
    (here / "photos" / "Thumbs.db").write_bytes(b"x")
    (here / "photos" / "preview.html").write_text("x")
    train("Rank16", "--steps", "2")
    shown = " ".join(capsys.readouterr().out.split())
    assert "Going on after step 1 of 2." in shown
    assert "planned for 1 steps and now goes to 2" in shown
    log = (here / "runs" / "trained" / "Rank16" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [1, 2]

    train("Rank16", "--steps", "1", code=2)
    assert "has made 2 steps already" in capsys.readouterr().err
    write({"photos/new.png": 9, "photos/new.txt": "a cup"}, here)
    train("Rank16", "--steps", "2", code=2)
    assert "new.png is new" in capsys.readouterr().err


def test_a_training_starts_from_a_lora_file(here, capsys):
    train("Rank16", "--steps", "1", "--rank", "3", "--out", "first")
    capsys.readouterr()
    file = str(here / "first" / "lora.safetensors")
    train("Rank16", "--steps", "1", "--init", file, "--learning-rate", "1e-9", "--out", "second")
    shown = capsys.readouterr().out
    assert "rank 3" in shown  # the file's
    assert "starting from " in shown
    with safe_open(file, "pt") as one, safe_open("second/lora.safetensors", "pt") as two:
        for name in one.keys():  # noqa: SIM118
            assert (one.get_tensor(name) - two.get_tensor(name)).abs().max() < 1e-3
    train("Rank16", "--steps", "1", "--init", file, "--rank", "5", "--out", "third", code=2)
    assert "has rank 3, and --rank is 5" in capsys.readouterr().err


def test_two_starts_at_once_are_one_run_and_one_refusal(here, capsys):
    from toolkit.training_runs.own_folder import alone

    out = here / "runs" / "trained" / "Rank16"
    with alone(out):
        train("Rank16", "--steps", "1", code=2)
    assert "Another run is at work in this folder: process" in capsys.readouterr().err


def test_options_that_a_contribution_never_reads_are_said(here, capsys):
    # Example1's own train has one optimiser; its own generate reads these two options.
    train("Example1", "--steps", "3", "--optimizer", "adafactor", "--noise-offset", "0.1")
    shown = " ".join(capsys.readouterr().out.split())
    sentence = "Example1's train never read --noise-offset, --optimizer: no effect."
    assert sentence in shown
    trained = here / "runs" / "trained" / "Example1"
    (log,) = trained.glob("job-*/log.txt")
    assert log.read_text(encoding="utf-8").count(sentence) == 1, "early, and not only at the end"
    drawn = ["generate", "Example1", "--config", str(trained / "plan.toml")]
    assert main([*drawn, "--scale", "0.5", "--negative", "a cat"]) == 0
    assert "never read" not in capsys.readouterr().out
    train("Rank16", "--steps", "1", "--optimizer", "adafactor", "--noise-offset", "0.1")
    assert "never read" not in capsys.readouterr().out
