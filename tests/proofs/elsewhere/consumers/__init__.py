"""What a program makes of files: each layer's weight with them merged in. One module a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from diffusers import StableDiffusionPipeline

from tests.proofs.elsewhere.programs import Program

# Files and their strengths, merged into a pipeline in place -> how many of the first file's tensors
# the program used.
Merge = tuple[Path, float]
Consumer = Callable[[Sequence[Merge], StableDiffusionPipeline], int]
# A program, which of our formats it is given, and what makes it ready.
Ready = tuple[str, tuple[str, ...], Callable[[], Consumer]]

FILES = ("kohya", "diffusers")


class RefusedError(Exception):
    """A program says that a file is none of its own."""


def ready(programs: dict[str, Program]) -> Iterator[Ready]:
    """Yield the programs that are there."""
    from . import a1111, comfyui, forge, installed, invokeai, kohya, lycoris, sdnext

    makers = {
        "sd-scripts": kohya.consumer,
        "LyCORIS": lycoris.consumer,
        "ComfyUI": comfyui.consumer,
        "A1111": a1111.consumer,
        "Forge": forge.consumer,
        "SD.Next": sdnext.consumer,
        "InvokeAI": invokeai.consumer,
    }
    for name, make in makers.items():
        if programs[name].folder is not None:
            yield name, FILES, partial(make, programs[name])
    yield "diffusers", FILES, lambda: installed.in_diffusers
    yield "peft", ("peft",), lambda: installed.in_peft
