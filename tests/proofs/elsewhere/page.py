"""Write the result and docs/elsewhere.md from it."""

from __future__ import annotations

import json

from harness import paths
from toolkit.core import atomic

from .results import Consumed, Elsewhere, Produced, Ran

RESULT = paths.ROOT / "tests" / "proofs" / "elsewhere" / "result.json"
SECOND_CALLS = paths.ROOT / "tests" / "proofs" / "second_calls" / "result.json"
PAGE = paths.ROOT / "docs" / "elsewhere.md"

HEAD = """# Your files elsewhere

Written by `nox -s elsewhere`; do not edit. You train here and draw elsewhere. So other programs'
own code ran on the hub's files, and the hub ran on files that other trainers' own code wrote.

"""
CONSUMED = """
## Our files in other programs

Each program merged the file at the strengths 1, 0.5, 0 and -0.5 into a base with SD 1.x's names.
*apart* is the largest difference of a layer's weight from what the hub computes, relative to its
change. *skipped* are layers of the file that the program leaves as they are, without a word.

| file | format | program | tensors used | skipped | apart |
|---|---|---|---:|---:|---:|
"""
PRODUCED = """
## Other trainers' files here

Each trainer wrote a file of random factors. `inspect`, `convert`, `merge` and `resize` read it, and
*apart* is the largest difference from the change that the trainer itself merges.

| trainer | layers | apart | or why not |
|---|---:|---:|---|
"""
CALLS = """
## Second calls

A program that holds a pipeline draws, trains and adds files again and again. `nox -s second-calls`
walks {operations} such calls on one live pipeline, failing and stopped ones among them: each alone,
all {pairs:,} pairs and {threes:,} random threes. After {well} of these walks every answer, weight
and setting is what a fresh start gives, to the bit.
"""
KNOW = """
## What to know

- **kohya's sd-scripts** find layers inside Transformer blocks, ResNets and samplers. `conv_in`,
  `conv_out` and the two layers of `time_embedding` are in none of those: a file that trained
  them loads without a word, and without them. The other programs here take them.
- **kohya's sd-scripts read alpha 0 as alpha = rank.** A layer that its alpha switched off acts
  at full strength there. Files that the hub writes have no alpha of 0: the factors are 0 instead.
- **kohya's second network in one process trains more.** A network with convolutions, or one made
  from a file, lengthens a list of the class for all that follow: a plain network then has 228
  layers of the U-Net instead of 192, with `time_emb_proj` and `conv_shortcut`. That is what
  `--base_weights` does to a training.
- **LyCORIS 4.1.3 merges at strength 1** through `network.merge_to` of `lycoris.kohya`, whatever
  multiplier the network was made with. The table merges module by module, which obeys it.
- **LyCORIS' DyLoRA** divides by the number of blocks in training, and files are read as divided by
  the rank: they act at 1 / `block_size` of what was trained (4 unless told). Train with
  `block_size=1`. Its own `merge_to` draws a rank by lot, and a DyLoRA network that is to train on
  from such a file starts from nothing.
- **LyCORIS' preset `ia3`** finds no layer of SD 1.x (4.1.3), and the file is empty.
- **LyCORIS 4.1.3 stops on SD 1.x with its preset `full`**, the one that it takes unless told: it
  finds the two layers of `time_embedding` by class and by name (`duplicated lora name`). Loading
  a file through `lycoris.kohya` stops there, too. Apply `attn-mlp` first, or take version 3.2.
- **diffusers 0.42.1 draws with the dropout of the training** if the file's
  `lora_adapter_metadata` names one, until `pipe.unet.eval()`. What the hub writes there names none.
- **diffusers' `fuse_qkv_projections`** leaves a LoRA out of the layers that it fuses, whichever
  comes first. Take it back before you load a file.
- **ComfyUI** knows attention layers with dots only in the spelling of diffusers before 0.20. Of a
  file in diffusers' format it takes the rest. Give it kohya's format.
- **The text encoder** is called `lora_te_text_model_...` everywhere. With transformers 5.6 or
  newer, kohya's sd-scripts derive `lora_te_encoder_...` from the modules and find none of them.
"""


def write(found: Elsewhere) -> None:
    """Write both; rows of an earlier run stay until they are run again."""
    if RESULT.is_file():
        old = Elsewhere.model_validate_json(RESULT.read_text(encoding="utf-8"))
        consumed = {(one.what, one.program, one.form): one for one in old.consumed}
        consumed |= {(one.what, one.program, one.form): one for one in found.consumed}
        produced = {one.name: one for one in [*old.produced, *found.produced]}
        found = Elsewhere(
            programs=found.programs,
            consumed=sorted(consumed.values(), key=lambda one: (one.what, one.program, one.form)),
            produced=sorted(produced.values(), key=lambda one: one.name),
        )
    atomic.write_text(RESULT, found.model_dump_json(indent=1) + "\n")
    atomic.write_text(PAGE, text(found))


def refresh() -> None:
    """Write the page anew from the committed results."""
    found = Elsewhere.model_validate_json(RESULT.read_text(encoding="utf-8"))
    atomic.write_text(PAGE, text(found))


def text(found: Elsewhere) -> str:
    """Return the page."""
    lines = [program_line(program) for program in found.programs]
    consumed = [consumed_line(one) for one in found.consumed]
    produced = [produced_line(one) for one in found.produced]
    return (
        HEAD + "\n".join(lines) + "\n" + KNOW
        + CONSUMED + "\n".join(consumed) + "\n" + PRODUCED + "\n".join(produced) + "\n"
        + second_calls()
    )  # fmt: skip


def second_calls() -> str:
    """Return the section about walks on a live pipeline."""
    found = json.loads(SECOND_CALLS.read_text(encoding="utf-8"))
    walks = len(found["operations"]) + found["pairs"] + found["threes"]
    faulty = len(found["faulty"])
    return CALLS.format(
        operations=len(found["operations"]),
        pairs=found["pairs"],
        threes=found["threes"],
        well=f"{walks - faulty:,} of {walks:,}" if faulty else "each",
    )


def program_line(program: Ran) -> str:
    """Return one line about a program."""
    return f"- {program.name}: {program.version if program.there else 'not here, so not run'}"


def consumed_line(one: Consumed) -> str:
    """Return one row of our files."""
    apart = f"{max(one.errors.values()):.1e}" if one.errors else one.said
    skipped = f"{one.skipped} (first `{one.skipped_first}`)" if one.skipped else "0"
    return (
        f"| {one.what} | {one.form} | {one.program} | {one.used} of {one.keys} | {skipped} | "
        f"{'**differs** ' if one.outcome == 'differs' else ''}{apart} |"
    )


def produced_line(one: Produced) -> str:
    """Return one row of theirs."""
    apart = "" if one.error is None else f"{one.error:.1e}"
    return f"| {one.name} | {one.layers or ''} | {apart} | {one.said} |"
