"""stable-diffusion.cpp: which layers its conversion of names finds in each of our formats.

It is C++, so the folder holds an executable, ``names``: it reads a tensor's name a line and prints
what ``convert_tensor_name`` makes of it for SD 1.x.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import torch

from toolkit.lora_files.layout import TEXT_ENCODER, sd1_layout
from toolkit.lora_files.ldm import ldm_name
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.names import Format, Piece, parse_key
from toolkit.lora_files.write import diffusers_tensors, kohya_tensors

from .programs import Program
from .results import Named

# Its own names of a layer's tensors, after the name of the layer's weight.
PIECES: Final[dict[Piece, str]] = {"down": "lora_down", "up": "lora_up", "alpha": "alpha"}


def named(program: Program) -> Iterator[Named]:
    """Yield what becomes of the names of all layers of SD 1.x, in a file of each format."""
    layout = sd1_layout()
    names = list(layout.layers)
    weights = dict(zip(names, converted(program, map(checkpoint_name, names)), strict=True))
    lora = one_of_all()
    files: dict[Format, Sequence[str]] = {
        "kohya": list(kohya_tensors(lora)),
        "diffusers": list(diffusers_tensors(lora, "fp32", "fold")[0]),
    }
    for form, keys in files.items():
        found = converted(program, (f"lora.{key}" for key in keys))
        unknown = {}
        for key, name in zip(keys, found, strict=True):
            layer, piece = parse_key(key, form, layout)
            if name != f"lora.{weights[layer]}.{PIECES[piece]}":
                unknown[layer] = name
        text = sum(layer.startswith(TEXT_ENCODER) for layer in unknown)
        yield Named(
            program=program.name, form=form, layers=len(names), known=len(names) - len(unknown),
            text=text, others=[n for n in unknown if not n.startswith(TEXT_ENCODER)],
        )  # fmt: skip


def checkpoint_name(layer: str) -> str:
    """Return the name of a layer's weight in an SD 1.x checkpoint."""
    part, _, path = layer.partition(".")
    if part == TEXT_ENCODER:
        return f"cond_stage_model.transformer.{path}.weight"
    return f"model.diffusion_model.{ldm_name(path)}.weight"


def converted(program: Program, names: Iterable[str]) -> list[str]:
    """Return what the program makes of each name."""
    lines = "".join(f"{name}\n" for name in names)
    command = [str(program.code / "names")]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def one_of_all() -> Lora:
    """Return a LoRA of rank 1 on every layer; only its names matter."""
    layers = {}
    for name, shape in sd1_layout().layers.items():
        kernel = (shape.kernel, shape.kernel) if shape.is_conv else ()
        ones = (1, 1) if shape.is_conv else ()
        down = torch.ones(1, shape.in_features, *kernel)
        layers[name] = LoraLayer(down, torch.ones(shape.out_features, 1, *ones), 1.0)
    return Lora(layers)
