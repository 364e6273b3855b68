"""Every option of ``lora`` changes the file as it says; or is refused.

The four commands that write share options; each is tried with each of them. An option without a
function here fails.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.every_option import options_of_commands
from tests.toolkit.lora_files.support import TINY_TEXT, TINY_UNET, random_lora
from toolkit.deltas.file import write_delta
from toolkit.lora_files.arguments import build_parser
from toolkit.lora_files.cli import main
from toolkit.lora_files.memory import Lora
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.write import write_lora

# What each command that writes is handed, besides --out.
GIVEN = {
    "convert": "a.safetensors",
    "merge": "a.safetensors b.safetensors",
    "extract": "delta.safetensors --rank 3",
    "resize": "a.safetensors --rank 2",
}


class Bench(NamedTuple):
    """A folder with LoRA files, a delta and the base that they are for."""

    folder: Path
    said: Callable[..., str]

    def made(self, command: str, *words: str, given: str = "", to: str = "kohya") -> Path:
        """The file or folder that a command writes."""
        out = self.folder / f"out{len(list(self.folder.glob('out*')))}"
        out = out if to == "peft" else out.with_suffix(".safetensors")
        self.said(command, *(given or GIVEN[command]).split(), *words, "--to", to, "--out", out)
        return out

    def lora(self, command: str, *words: str, given: str = "") -> Lora:
        """The same, read."""
        return read_lora(self.made(command, "--dtype", "fp32", *words, given=given))


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys) -> Bench:
    for part, config in {"unet": TINY_UNET, "text_encoder": TINY_TEXT}.items():
        (tmp_path / "base" / part).mkdir(parents=True)
        (tmp_path / "base" / part / "config.json").write_text(json.dumps(config), encoding="utf-8")
    lora = random_lora(rank=4, alpha=2.0)
    write_lora(lora, tmp_path / "a.safetensors", dtype="fp32")
    write_lora(random_lora(rank=2, seed=1), tmp_path / "b.safetensors", dtype="fp32")
    deltas: dict[str, dict[str, torch.Tensor]] = {"unet": {}, "text_encoder": {}}
    for name, layer in lora.layers.items():
        part, _, path = name.partition(".")
        deltas[part][f"{path}.weight"] = layer.delta()
    write_delta(tmp_path / "delta.safetensors", deltas)
    monkeypatch.chdir(tmp_path)

    def said(command: str, *words: object, code: int = 0) -> str:
        base = () if "--base" in words else ("--base", "base")
        assert main([command, *map(str, words), *base]) == code
        return "".join(capsys.readouterr())

    return Bench(tmp_path, said)


def header(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata())


# --- of all commands that write -----------------------------------------------------------------


def out(bench: Bench, command: str) -> None:
    assert read_lora(bench.made(command)).layers


def to(bench: Bench, command: str) -> None:
    beginnings = []
    for form in ("kohya", "diffusers"):
        names = load_file(bench.made(command, to=form))
        beginnings.append({name.partition("_")[0].partition(".")[0] for name in names})
    assert beginnings == [{"lora"}, {"unet", "text"}]
    folder = bench.made(command, to="peft")
    assert {path.name for path in folder.iterdir()} == {"unet", "text_encoder"}


def dtype(bench: Bench, command: str) -> None:
    found = {}
    for name in ("fp16", "bf16", "fp32"):
        tensors = load_file(bench.made(command, "--dtype", name))
        found[name] = {t.dtype for n, t in tensors.items() if not n.endswith("alpha")}
    wanted = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
    assert found == {name: {one} for name, one in wanted.items()}


def alpha(bench: Bench, command: str) -> None:
    kept = [
        "lora_adapter_metadata" in header(bench.made(command, "--alpha", name, to="diffusers"))
        for name in ("fold", "metadata")
    ]
    assert kept == [False, True]


def title(bench: Bench, command: str) -> None:
    assert header(bench.made(command, "--title", "Robot"))["modelspec.title"] == "Robot"


def force(bench: Bench, command: str) -> None:
    taken = bench.folder / "taken.safetensors"
    taken.write_bytes(b"mine")
    words = (command, *GIVEN[command].split(), "--out", taken)
    assert "exists already" in bench.said(*words, code=2)
    assert taken.read_bytes() == b"mine"
    bench.said(*words, "--force")
    assert read_lora(taken).layers


def base(bench: Bench, command: str) -> None:
    # Of another base the same file is not: its layers are wider.
    wide = {**TINY_UNET, "block_out_channels": [32] * 4}
    shutil.copytree("base", "wide")
    (bench.folder / "wide/unet/config.json").write_text(json.dumps(wide), encoding="utf-8")
    words = (command, *GIVEN[command].split(), "--out", bench.folder / "x.safetensors")
    assert bench.said(*words, "--base", "wide", code=1)
    assert not (bench.folder / "x.safetensors").exists()
    bench.said(*words, "--base", "base")


# --- of one or two ------------------------------------------------------------------------------


def inspect_base(bench: Bench) -> None:
    assert bench.said("inspect", "a.safetensors") != bench.said(
        *("inspect", "a.safetensors", "--base", str(Path(__file__).parents[3] / "models/tiny-sd"))
    )


def inspect_json(bench: Bench) -> None:
    (report,) = json.loads(bench.said("inspect", "a.safetensors", "--json"))
    assert list(report["ranks"]) == ["4"]


def convert_without_embeddings(bench: Bench) -> None:
    tensors = load_file("a.safetensors")
    words = {"bundle_emb.robot.clip_l": torch.ones(1, 32)}
    save_file({**tensors, **words}, "words.safetensors")
    found = [
        bench.lora("convert", *more, given="words.safetensors").words()
        for more in ((), ("--without-embeddings",))
    ]
    assert [list(one) for one in found] == [["robot"], []]


def merge_weights(bench: Bench) -> None:
    # Once and minus once: only the second is left.
    twice = "a.safetensors a.safetensors b.safetensors"
    left = bench.lora("merge", "--weights", "1", "-1", "1", given=twice)
    for name, layer in read_lora(bench.folder / "b.safetensors").layers.items():
        torch.testing.assert_close(left.layers[name].delta(), layer.delta(), rtol=0, atol=1e-5)


def rank(bench: Bench, command: str) -> None:
    given = GIVEN[command].split(" --")[0]
    ranks = [set(bench.lora(command, "--rank", n, given=given).ranks()) for n in ("1", "3")]
    assert ranks == [{1}, {3}]


def energy(bench: Bench, command: str) -> None:
    given = GIVEN[command].split(" --")[0]
    sums = [
        sum(r * n for r, n in bench.lora(command, "--energy", share, given=given).ranks().items())
        for share in ("0.5", "0.9")
    ]
    assert sums[0] < sums[1]


def options() -> list[tuple[str, str]]:
    """All commands with all their options."""
    return [(command, option.dest) for command, option in options_of_commands(build_parser())]


@pytest.mark.parametrize(("command", "option"), options())
def test_an_option_does_what_it_says(command, option, bench):
    own = globals().get(f"{command}_{option}")
    shared = globals().get(option)
    assert own or shared, f"Write what {command} --{option} promises as a function of this file."
    if own:
        own(bench)
    else:
        shared(bench, command)


@pytest.mark.parametrize("command", GIVEN)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--alpha", "metadata"], "--alpha needs --to diffusers"),
        (["--alpha", "fold", "--to", "peft"], "--alpha needs --to diffusers"),
        (["--title", "Robot", "--to", "diffusers"], "--title needs --to kohya"),
        (["--title", "Robot", "--to", "peft"], "--title needs --to kohya"),
        (["--force", "--to", "peft"], "--force: a folder of PEFT"),
    ],
)
def test_an_option_without_effect_is_refused(command, words, says, bench):
    new = bench.folder / "new.safetensors"
    assert says in bench.said(command, *GIVEN[command].split(), *words, "--out", new, code=2)
    assert not new.exists()
