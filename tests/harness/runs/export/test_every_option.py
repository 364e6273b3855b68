"""Every option of ``export`` changes the file as it says; or is refused.

Each option has a function here, called like it. An option without one fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.commands import cli
from harness.commands.export import add_arguments
from harness.sandbox.files import ANSWER_FILE
from harness.worker.jobs import ADAPTER_FILE, Answer
from tests.every_option import effect_of, options_of
from tests.harness.runs.export.conftest import Trained
from tests.harness.runs.export.test_export import note_of
from toolkit.lora_files.read import read_lora


class Bench(NamedTuple):
    """Exports of a LoRA of rank 3, of a change of full rank, and of one with biases and norms."""

    plain: Trained
    full: Trained
    odd: Trained
    folder: Path
    said: Callable[..., str]

    def made(self, trained: Trained, *words: str, name: str = "x.safetensors") -> Path:
        """The file or folder that is written; without pictures, which take the time."""
        out = self.folder / str(len(list(self.folder.iterdir()))) / name
        words = words if "--no-pictures" in words else (*words, "--no-pictures")
        self.said(*trained.arguments, "--out", str(out), *words)
        return out


@pytest.fixture
def bench(plain, full, odd, tmp_path, capsys) -> Bench:
    def said(*words: str, code: int = 0) -> str:
        assert cli.main(["export", "reference", *words]) == code
        return "".join(capsys.readouterr())

    return Bench(plain, full, odd, tmp_path, said)


def format_(bench: Bench) -> None:
    beginnings = []
    for form in ("kohya", "diffusers"):
        names = load_file(bench.made(bench.plain, "--format", form))
        beginnings.append({name.partition("_")[0].partition(".")[0] for name in names})
    assert beginnings == [{"lora"}, {"unet", "text"}]
    assert (bench.made(bench.plain, "--format", "peft", name="f") / "unet").is_dir()
    assert (bench.made(bench.plain, "--format", "merged", name="f") / "vae").is_dir()
    made = note_of(bench.made(bench.plain, "--format", "svd-lora"))["made"]
    assert made.startswith("singular values")


def rank(bench: Bench) -> None:
    # Of the adapter's own factors a smaller rank is made by singular values.
    ranks = [max(read_lora(bench.made(bench.plain, "--rank", n)).ranks()) for n in ("1", "2", "3")]
    assert ranks == [1, 2, 3]


def error(bench: Bench) -> None:
    found = [note_of(bench.made(bench.full, "--error", n))["relative_error"] for n in ("0.1", ".4")]
    assert found[0] <= 0.1 < found[1] <= 0.4


def run_(bench: Bench) -> None:
    layers = [len(read_lora(bench.made(one)).layers) for one in (bench.plain, bench.full)]
    assert layers[0] != layers[1]


def track(bench: Bench) -> None:
    # A folder that does not say it: its prompts and the size of its pictures are the track's.
    shown = [
        note_of(bench.made(bench.plain, "--no-pictures", *more))
        for more in ((), ("--track", "halves"))
    ]
    assert [one["resolution"] for one in shown] == [64, 64]
    drawn = []
    for more in ((), ("--track", "halves")):
        out = bench.folder / f"drawn{len(more)}.safetensors"
        bench.said(*bench.plain.arguments, "--out", str(out), *more)
        drawn.append(note_of(out)["prompts"])
    assert drawn[0] != drawn[1]


def base(bench: Bench) -> None:
    # Another base than the one it was trained on changes nothing for a LoRA, and all for a model.
    other = bench.folder / "other"
    shutil.copytree(bench.plain.base, other)
    file = other / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({n: t + 1 for n, t in load_file(file).items()}, file)
    words = ("--run", str(bench.plain.folder), "--format", "merged", "--no-pictures")
    whole = []
    for number, place in enumerate((bench.plain.base, other)):
        out = bench.folder / f"model{number}"
        bench.said(*words, "--base", str(place), "--out", str(out))
        whole.append(load_file(out / "vae" / "diffusion_pytorch_model.safetensors"))
    name = next(iter(whole[0]))
    assert not torch.equal(whole[0][name], whole[1][name])


def out(bench: Bench) -> None:
    assert bench.made(bench.plain, name="elsewhere.safetensors").is_file()


def dtype(bench: Bench) -> None:
    found = {}
    for name in ("fp16", "bf16", "fp32"):
        tensors = load_file(bench.made(bench.plain, "--dtype", name))
        found[name] = {t.dtype for n, t in tensors.items() if not n.endswith("alpha")}
    wanted = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
    assert found == {name: {one} for name, one in wanted.items()}


def allow_loss(bench: Bench) -> None:
    new = bench.folder / "new.safetensors"
    said = bench.said(*bench.odd.arguments, "--out", str(new), "--no-pictures", code=2)
    assert "--allow-loss leaves them out" in said
    assert note_of(bench.made(bench.odd, "--allow-loss"))["left_out"]


def no_pictures(bench: Bench) -> None:
    new = bench.folder / "new.safetensors"
    bench.said(*bench.plain.arguments, "--out", str(new))
    assert "picture_difference" in note_of(new)
    assert "picture_difference" not in note_of(bench.made(bench.plain, "--no-pictures"))


def force(bench: Bench) -> None:
    path = bench.made(bench.plain)
    before = path.read_bytes()
    words = (*bench.plain.arguments, "--out", str(path), "--no-pictures", "--dtype", "fp32")
    bench.said(*words, code=2)
    assert path.read_bytes() == before
    bench.said(*words, "--force")
    assert path.read_bytes() != before


def options() -> list[str]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return [one.option_strings[0] for one in options_of(parser)]


@pytest.mark.parametrize("option", options())
def test_an_option_does_what_it_says(option, bench):
    effect_of(option, globals())(bench)


@pytest.mark.parametrize(
    ("kind", "words", "says"),
    [
        ("plain", ["--rank", "8"], "--rank 8: the file keeps its own factors of rank 3"),
        ("plain", ["--error", "0.1"], "--error 0.1: the file keeps its own factors of rank 3"),
        ("full", ["--error", "0.1", "--rank", "4"], "--error chooses a rank, and --rank says it"),
        ("odd", ["--format", "merged", "--rank", "4"], "--rank is of a LoRA"),
        ("odd", ["--format", "merged", "--error", "0.1"], "--error is of a LoRA"),
        ("odd", ["--format", "merged", "--allow-loss"], "--allow-loss: merged holds everything"),
    ],
)
def test_an_option_without_effect_is_refused(kind, words, says, bench):
    new = bench.folder / "new.safetensors"
    arguments = getattr(bench, kind).arguments
    said = bench.said(*arguments, *words, "--out", str(new), "--no-pictures", code=2)
    assert says in " ".join(said.split())
    assert list(bench.folder.iterdir()) == []


def test_a_track_beside_a_run_that_says_what_it_was_trained_on_is_refused(bench):
    folder = bench.folder / "trained"
    shutil.copytree(bench.plain.folder, folder)
    plan = {"base": str(bench.plain.base), "resolution": 64, "prompts": ["a cup"]}
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    said = bench.said("--run", str(folder), "--track", "halves", code=2)
    assert "--track beside a --run that says what it was trained on" in said


def test_a_track_says_whose_newest_training_is_exported(bench, runs):
    for number, (place, kind) in enumerate((("robot", bench.plain), ("halves", bench.full))):
        seed = runs / place / "reference" / "key" / "train" / "seed-0"
        seed.mkdir(parents=True)
        for file in kind.folder.iterdir():
            shutil.copy(file, seed)
        if not (seed / ADAPTER_FILE).is_file():
            save_file({"weight": torch.zeros(1)}, seed / ADAPTER_FILE)
        os.utime(seed / ADAPTER_FILE, (number, number))
        (seed.parent / ANSWER_FILE).write_text(Answer().model_dump_json(), encoding="utf-8")
    words = ("--base", str(bench.plain.base), "--no-pictures")
    bench.said("--out", str(bench.folder / "newest.safetensors"), *words)
    bench.said("--out", str(bench.folder / "robot.safetensors"), "--track", "robot", *words)
    found = [len(read_lora(bench.folder / f"{n}.safetensors").layers) for n in ("newest", "robot")]
    assert found[0] != found[1]
