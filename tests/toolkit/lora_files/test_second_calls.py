"""Second calls: whatever was done to a file before, the next step does what it does to a new one.

A walk keeps, beside the file, each layer's change as a full matrix, computed without LoRA code.
After every step the file must be that change. All pairs of steps are walked, and random threes.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.toolkit.lora_files.support import random_lora, tiny_layout
from toolkit.core.errors import HubError
from toolkit.deltas.file import write_delta
from toolkit.lora_files.extract import extract_lora, read_deltas
from toolkit.lora_files.ldm import ldm_name
from toolkit.lora_files.memory import Lora
from toolkit.lora_files.merge import merge_loras
from toolkit.lora_files.names import Format, kohya_name
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.resize import resize_lora
from toolkit.lora_files.write import AlphaMode, kohya_tensors, write_lora

NAMES = (
    "unet.down_blocks.0.attentions.0.proj_in",
    "unet.down_blocks.1.resnets.0.conv1",
    "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "text_encoder.text_model.encoder.layers.1.mlp.fc1",
)
LAYOUT = tiny_layout()
OTHER = random_lora(NAMES[1:], rank=2, alpha=3.0, seed=9)
SMALL = {"unet": NAMES[:3], "text_encoder": NAMES[3:]}


@dataclass
class State:
    """A file, and what it must do: layer -> change, float64."""

    file: Path
    truth: dict[str, Tensor]

    def next_file(self, suffix: str = ".safetensors") -> Path:
        number = int(self.file.stem) + 1
        return self.file.with_name(f"{number}{suffix}")

    def read(self) -> Lora:
        return read_lora(self.file, LAYOUT)

    def check(self, tolerance: float = 1e-5) -> None:
        found = self.read().layers
        for name, wanted in self.truth.items():
            delta = found[name].delta() if name in found else torch.zeros_like(wanted)
            size = max(float(wanted.norm()), 1e-3)
            assert float((delta - wanted).norm()) < tolerance * size, name
        assert set(found) <= set(self.truth)


def convert(form: Format, alpha: AlphaMode = "fold"):
    def do(state: State) -> State:
        out = state.next_file("" if form == "peft" else ".safetensors")
        write_lora(state.read(), out, form, dtype="fp32", alpha=alpha)
        return State(out, state.truth)

    return do


def merge(weights, with_other=False):
    """Weights of the file itself, as often as there are numbers; the last is the other's."""

    def do(state: State) -> State:
        own = list(weights[:-1] if with_other else weights)
        loras = [state.read() for _ in own] + [OTHER] * with_other
        out = state.next_file()
        truth = {name: sum(own) * delta for name, delta in state.truth.items()}
        if with_other:
            for name, layer in OTHER.layers.items():
                truth[name] = truth.get(name, 0) + weights[-1] * layer.delta()
        write_lora(merge_loras(loras, list(weights)), out, dtype="fp32")
        return State(out, truth)

    return do


def resize(rank=None, energy=None):
    def do(state: State) -> State:
        out = state.next_file()
        truth = state.truth
        if rank is not None:
            truth = {name: cut(delta, rank) for name, delta in truth.items()}
        try:
            write_lora(resize_lora(state.read(), rank, energy).lora, out, dtype="fp32")
        except HubError as error:
            assert "becomes smaller" in error.what
            return state
        return State(out, truth)

    return do


def cut(delta: Tensor, rank: int) -> Tensor:
    u, s, vh = torch.linalg.svd(delta.flatten(1), full_matrices=False)
    return (u[:, :rank] * s[:rank] @ vh[:rank]).reshape(delta.shape)


def extract(state: State) -> State:
    delta_file, out = state.next_file(".delta"), state.next_file()
    parts = {
        part: {
            f"{name.partition('.')[2]}.weight": state.truth[name]
            for name in names
            if name in state.truth
        }
        for part, names in SMALL.items()
    }
    write_delta(delta_file.with_suffix(".safetensors"), parts)
    source = delta_file.with_suffix(".safetensors")
    found = extract_lora(read_deltas(source, None), rank=16, layout=LAYOUT)
    source.unlink()
    write_lora(found.lora, out, dtype="fp32")
    return State(out, state.truth)


def spelled(rename, alpha=lambda value: value):
    """The same LoRA as another program spells it."""

    def do(state: State) -> State:
        tensors = kohya_tensors(state.read(), "fp32")
        names = {kohya_name(name): rename(name) for name in state.truth}
        out = state.next_file()
        renamed = {}
        for key, tensor in tensors.items():
            layer, _, piece = key.partition(".")
            if names[layer] is None:
                continue
            renamed[f"{names[layer]}.{piece}"] = alpha(tensor) if piece == "alpha" else tensor
        save_file(renamed, out)
        return State(out, {n: d for n, d in state.truth.items() if names[kohya_name(n)]})

    return do


def comfyui(name: str) -> str:
    part, _, path = name.partition(".")
    if part == "unet":
        return f"diffusion_model.{ldm_name(path)}"
    return f"text_encoders.clip_l.transformer.{path}"


def flat(prefix: str):
    return lambda name: prefix + name.partition(".")[2].replace(".", "_")


def without_a_title(state: State) -> State:
    """A file that lost its header."""
    if state.file.is_dir():
        return state
    out = state.next_file()
    tensors = load_file(state.file)
    header = {}
    if any(".lora_A" in key for key in tensors):  # diffusers keeps alpha there
        from toolkit.lora_files.header import read_header

        header = read_header(state.file).metadata
    save_file(tensors, out, metadata={k: v for k, v in header.items() if not k.startswith("ss_")})
    return State(out, state.truth)


OPERATIONS = {
    "kohya": convert("kohya"),
    "diffusers": convert("diffusers"),
    "diffusers, alpha in the header": convert("diffusers", "metadata"),
    "peft": convert("peft"),
    "as it is": merge([1.0]),
    "half": merge([0.5]),
    "negative": merge([-1.0]),
    "small": merge([1e-3]),
    "twice": merge([0.25, 0.75]),
    "more than taken away": merge([1.5, -0.5]),
    "with another": merge([1.0, 1.0], with_other=True),
    "with another, less": merge([0.3, -0.7], with_other=True),
    "rank 2": resize(rank=2),
    "rank 1": resize(rank=1),
    "all energy": resize(energy=1.0),
    "extract": extract,
    "lycoris_": spelled(flat("lycoris_")),
    "ComfyUI": spelled(comfyui),
    "dots": spelled(lambda name: name),
    "te1": spelled(lambda name: kohya_name(name).replace("lora_te_", "lora_te1_")),
    "no header": without_a_title,
}


def walk(steps, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lora = random_lora(NAMES, rank=3, alpha=2.0, seed=4)
    state = State(folder / "0.safetensors", {n: x.delta() for n, x in lora.layers.items()})
    write_lora(lora, state.file, dtype="fp32")
    for step in steps:
        state = OPERATIONS[step](state)
        state.check()


@pytest.mark.parametrize("first", OPERATIONS)
def test_every_pair_is_what_a_fresh_start_gives(first, tmp_path):
    for second in OPERATIONS:
        walk((first, second), tmp_path / "walk")


def test_random_threes_are_what_a_fresh_start_gives(tmp_path):
    count = int(os.environ.get("HUB_WALKS", "60"))
    chance = random.Random(0)
    threes = list(itertools.product(OPERATIONS, repeat=3))
    for steps in chance.sample(threes, count):
        try:
            walk(steps, tmp_path / "walk")
        except (AssertionError, HubError) as error:
            raise AssertionError(json.dumps(steps)) from error
