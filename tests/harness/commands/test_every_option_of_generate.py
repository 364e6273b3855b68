"""Every option of ``generate`` changes the pictures as it says; or is refused.

Each option has a function here, called like it. An option without one fails. What has another test
is named with its file.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from harness import paths
from harness.commands.cli import main
from harness.commands.generate import add_arguments
from harness.commands.isolation import chosen_limits
from harness.sandbox.files import ANSWER_FILE
from harness.sandbox.layers import WANTED
from harness.sandbox.limits import GIB, default_limits
from harness.worker.jobs import ADAPTER_FILE, Answer
from harness.worker.save_adapter import save_adapter
from src.lora import make_lora
from tests.every_option import effect_of, options_of
from tests.harness.forked import fork_children
from tests.src.support import build_pipeline
from toolkit.core.settings import LoraConfig
from toolkit.drawings.metadata import read_drawing
from toolkit.images.sheet import open_picture
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.write import write_lora

ELSEWHERE = {"--trust": "sandbox/test_layers.py"}


class Bench(NamedTuple):
    """Draws with an adapter of the reference that does something, on a random base."""

    folder: Path
    said: Callable[..., str]

    def drawn(self, *words: str) -> list[Path]:
        """The files of a command line, a folder for each."""
        out = self.folder / f"drawn{len(list(self.folder.glob('drawn*')))}"
        run = () if "--track" in words else ("--run", "trained")
        beside = ("--prompt", "a red circle", "--steps", "2", *run)
        self.said(*beside, "--out", str(out), *words)
        return sorted(out.iterdir())

    def picture(self, *words: str) -> np.ndarray:
        """The first picture, (h, w, 3)."""
        return np.asarray(open_picture(self.drawn(*words)[0]))

    def differs(self, *words: str, beside: tuple[str, ...] = ()) -> bool:
        """Whether words change the picture."""
        one, other = (self.picture(*beside, *more) for more in ((), words))
        return one.shape != other.shape or not np.array_equal(one, other)


def adapter(file: Path, seed: int) -> LoraConfig:
    """Write an adapter of the reference with random factors; return what it was made with."""
    config = LoraConfig(rank=2)
    made = make_lora(build_pipeline(), config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    file.parent.mkdir(parents=True)
    save_adapter(made, file, {"hub.name": "reference"})
    return config


@pytest.fixture
def bench(random_base, tmp_path, monkeypatch, capsys) -> Bench:
    config = adapter(tmp_path / "trained" / ADAPTER_FILE, 0)
    plan = {"base": str(random_base), "resolution": 64, "lora": config.model_dump(mode="json")}
    (tmp_path / "trained" / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setenv(WANTED, "process")  # so that it is put back
    monkeypatch.delenv(WANTED)
    fork_children(monkeypatch, "harness.commands.generate")

    def said(*words: str, code: int = 0) -> str:
        assert main(["generate", "reference", *words]) == code
        return " ".join("".join(capsys.readouterr()).split())

    return Bench(tmp_path, said)


def prompt(bench: Bench) -> None:
    assert len(bench.drawn("--prompt", "a dog")) == 3  # both, and the grid


def lora(bench: Bench) -> None:
    layer = LoraLayer(torch.randn(2, 16, 1, 1), torch.randn(16, 2, 1, 1), alpha=2.0)
    write_lora(Lora({"unet.mid_block.attentions.0.proj_in": layer}), bench.folder / "s.safetensors")
    assert bench.differs("--lora", "s.safetensors")


def base(bench: Bench) -> None:
    other = build_pipeline()
    other.unet.conv_in.weight.data.mul_(2)
    other.save_pretrained(bench.folder / "other")
    assert bench.differs("--base", "other")


def seed(bench: Bench) -> None:
    assert bench.differs("--seed", "5")


def steps(bench: Bench) -> None:
    assert bench.differs("--steps", "3")


def guidance(bench: Bench) -> None:
    assert bench.differs("--guidance", "9")


def scale(bench: Bench) -> None:
    assert bench.differs("--scale", "0.5")


def negative(bench: Bench) -> None:
    assert bench.differs("--negative", "blur")


def scheduler(bench: Bench) -> None:
    assert bench.differs("--scheduler", "ddim")


def width(bench: Bench) -> None:
    assert bench.picture("--width", "48").shape == (48, 48, 3)


def height(bench: Bench) -> None:
    assert bench.picture("--height", "48").shape == (48, 64, 3)


def count(bench: Bench) -> None:
    assert len(bench.drawn("--count", "2")) == 3  # with the grid


def out(bench: Bench) -> None:
    bench.said("--prompt", "a dog", "--steps", "2", "--run", "trained", "--out", "elsewhere")
    assert len(list((bench.folder / "elsewhere").iterdir())) == 1


def run(bench: Bench) -> None:
    adapter(bench.folder / "second" / ADAPTER_FILE, 1)
    plan = (bench.folder / "trained" / "plan.json").read_text(encoding="utf-8")
    (bench.folder / "second" / "plan.json").write_text(plan, encoding="utf-8")
    assert bench.differs("--run", "second")


def track(bench: Bench) -> None:
    # The older of two trainings, because it is that of the track.
    plan = (bench.folder / "trained" / "plan.json").read_text(encoding="utf-8")
    for number, name in enumerate(("robot", "halves")):
        one = bench.folder / "runs" / name / "reference" / "key" / "train" / "seed-0"
        adapter(one / ADAPTER_FILE, number)
        (one / "plan.json").write_text(plan, encoding="utf-8")
        (one.parent / ANSWER_FILE).write_text(Answer().model_dump_json(), encoding="utf-8")
        os.utime(one / ADAPTER_FILE, (number, number))
    assert not np.array_equal(bench.picture("--track", "robot"), bench.picture("--track", "halves"))


def device(bench: Bench) -> None:
    # No other device is on the machines that test this: it is refused, not ignored.
    words = ("--prompt", "a", "--steps", "2", "--run", "trained", "--device", "mps")
    assert "mps" in bench.said(*words, code=1)


def config(bench: Bench) -> None:
    (bench.folder / "my.toml").write_text("[generate]\nseed = 7\n", encoding="utf-8")
    assert read_drawing(bench.drawn("--config", "my.toml")[0]).config.seed == 7


def with_(bench: Bench) -> None:
    drawing = read_drawing(bench.drawn("--with", "generate=PromptWeighting")[0])
    assert drawing.origins["generate"] == "PromptWeighting"


def isolation(bench: Bench) -> None:
    words = ("--prompt", "a", "--steps", "2", "--run", "trained", "--isolation", "process")
    bench.said(*words)
    assert os.environ[WANTED] == "process"  # what every child of the command reads


def limits(*words: str) -> tuple[float, float, int, int]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(["reference", "--prompt", "a", *words])
    found = chosen_limits(args, default_limits(60.0, 1))
    return found.wall_s, found.cpu_s, found.memory_bytes, found.disk_bytes


def hours(bench: Bench) -> None:
    assert limits("--hours", "2")[0] == 7200
    assert limits("--hours", "2")[1] > limits()[1]


def memory(bench: Bench) -> None:
    assert limits("--memory", "1.5")[2] == int(1.5 * GIB)


def disk(bench: Bench) -> None:
    assert limits("--disk", "1.5")[3] == int(1.5 * GIB)


def options() -> list[str]:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    found = [one.option_strings[0] for one in options_of(parser)]
    return [option for option in found if option not in ELSEWHERE]


@pytest.mark.parametrize("option", options())
def test_an_option_does_what_it_says(option, bench):
    effect_of(option, globals())(bench)


def test_what_is_tested_elsewhere_is_there():
    for option, file in ELSEWHERE.items():
        assert option in (Path(__file__).parents[1] / file).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--negative", "blur", "--guidance", "1"], "--negative needs a --guidance above 1"),
        (["--width", "0"], "width: Input should be"),
        (["--height", "0"], "height: Input should be"),
        (["--track", "robot"], "--track beside a --run that says what it was trained on"),
    ],
)
def test_an_option_without_effect_is_refused(words, says, bench):
    assert says in bench.said("--prompt", "a", "--run", "trained", *words, code=2)
