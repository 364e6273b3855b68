"""Write the result and docs/elsewhere.md from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from harness import paths
from toolkit.core import atomic

from .results import Consumed, Elsewhere, Made, Named, Produced, Ran
from .wide import LARGEST, one_of_each_kind

RESULT = paths.ROOT / "tests" / "proofs" / "elsewhere" / "result.json"
SECOND_CALLS = paths.ROOT / "tests" / "proofs" / "second_calls" / "result.json"
PAGE = paths.ROOT / "docs" / "elsewhere.md"
STRENGTHS = ("1", "0.5", "0", "-0.5")
TWO = "two"

HEAD = """# Your files elsewhere

Written by `nox -s elsewhere`; do not edit. You train here and draw elsewhere. So other programs'
own code ran on the hub's files, and the hub ran on files that other trainers' own code wrote.
{pairs} triples of contribution, program and format ran at SD 1.4's shapes, of {contributions}
contributions in {programs} programs; {producers} files of other trainers were read.

"""
SD14 = """
## Every contribution at SD 1.4's shapes, by program

Each contribution attached its own adapter to layers of SD 1.4's shapes, one of each of the
{kinds} kinds that a LoRA can sit beside: 320, 640 and 1280 wide, CLIP's 768. Random numbers filled
it, and the code of `export` wrote the files: its own factors, or for what is no plain LoRA the
nearest one of rank 16 in one layer of each shape (up to {largest} million numbers). Each program
merged each file at the strengths 1, 0.5, 0 and -0.5, and once at 0.75 with a second file at -0.5.

- *files*: how many of the contributions' files the program ran on. {like} of the {pairs} triples
  are of files that hold the very tensors of another contribution's, because only settings of the
  training differ: those ran once.
- *skipped*: layers of the files that it leaves as they are, without an error.
- *apart*: the largest difference of a layer's weight from what the hub computes, relative to its
  change; *two*: the same with the second file.

| program | format | files | tensors used | skipped | apart | two |
|---|---|---:|---:|---:|---:|---:|
"""
MADE = """
### By contribution

*taken whole by*: programs and formats that used every tensor of its files.

| contribution | its file | layers | taken whole by | apart |
|---|---|---:|---:|---:|
"""
CONSUMED = """
## All layers, and files of real trainings

The same for a file of all 354 layers that SD 1.x has, each a few numbers wide, and for files that
the real commands trained and exported on the embedded base. What a program takes nothing of, or
refuses, has no figures.

| file | format | program | tensors used | skipped | apart | two |
|---|---|---|---:|---:|---:|---:|
"""
PRODUCED = """
## Other trainers' files here

Each trainer wrote a file of random factors. `inspect`, `convert`, `merge`, `resize` and
`generate --lora` read it, and `extract` took it back from the two models; *apart* is the largest
difference from the change that the trainer itself merges.

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
- **LyCORIS' `rs_lora`** is read by `lycoris.kohya` and not by `create_lycoris` (4.1.3), which
  trains with alpha / dim either way. And a LoKr of two full matrices that was trained with it acts
  from its file at 1 / sqrt(dim), in LyCORIS itself, too.
- **LyCORIS' preset `ia3`** finds no layer of SD 1.x (4.1.3), and the file is empty.
- **LyCORIS 4.1.3 stops on SD 1.x with its preset `full`**, the one that it takes unless told: it
  finds the two layers of `time_embedding` by class and by name (`duplicated lora name`). Loading
  a file through `lycoris.kohya` stops there, too. Apply `attn-mlp` first, or take version 3.2.
- **diffusers 0.42.1 draws with the dropout of the training** if the file's
  `lora_adapter_metadata` names one, until `pipe.unet.eval()`. What the hub writes there names none.
- **diffusers' `fuse_qkv_projections`** leaves a LoRA out of the layers that it fuses, whichever
  comes first. Take it back before you load a file.
- **Give every program kohya's format.** It is the one that all of them take whole. Of diffusers'
  format, with its names of today (`unet....attn1.to_q.lora_A.weight`), sd-scripts, LyCORIS, A1111
  and SD.Next's own loader find no layer; SD.Next reads it with its setting "LoRA load using
  Diffusers method".
- **ComfyUI and Forge** know attention layers with dots only in the spelling of diffusers before
  0.20. Of a file in diffusers' format they take the rest.
- **Forge lets go of a whole file of which it does not know more than 12 tensors**, and draws as
  if there were none; ComfyUI and A1111 use what they know.
- **InvokeAI tells the base by the width of the first layer that it looks for**: keys and values of
  cross-attention, `time_emb_proj` or self-attention of the text encoder. A LoRA of SD 1.x without
  any of these (self-attention or feed-forward layers alone) is an unknown model, and one of ResNets
  alone is taken for SDXL, because SD 1.x' time embedding is 1280 wide. Files in diffusers' format
  are unknown, too. So train cross-attention, and export in kohya's format.
- **OneTrainer's "original" format** has the original names with nothing before them: no program
  here loads it. Its "comfy" format loads in ComfyUI alone. `convert` reads both.
- **The text encoder** is called `lora_te_text_model_...` everywhere. With transformers 5.6 or
  newer, kohya's sd-scripts derive `lora_te_encoder_...` from the modules and find none of them.
"""


def read() -> Elsewhere:
    """Return what is known."""
    if not RESULT.is_file():
        return Elsewhere(programs=[], made=[], consumed=[], produced=[])
    return Elsewhere.model_validate_json(RESULT.read_text(encoding="utf-8"))


def keep(known: Elsewhere, new: Consumed | Made | Produced) -> None:
    """Put one row in the place of what was known of the same, and write both files."""
    if isinstance(new, Consumed):
        rows = {one.place: one for one in [*known.consumed, new]}
        known.consumed = [rows[place] for place in sorted(rows)]
    elif isinstance(new, Made):
        made = {one.name: one for one in [*known.made, new]}
        known.made = [made[name] for name in sorted(made, key=str.casefold)]
    else:
        theirs = {one.name: one for one in [*known.produced, new]}
        known.produced = [theirs[name] for name in sorted(theirs)]
    write(known)


def write(found: Elsewhere) -> None:
    """Write the result and the page."""
    text_of_it = found.model_dump_json(indent=1, exclude_defaults=True)
    atomic.write_text(RESULT, text_of_it + "\n")
    atomic.write_text(PAGE, text(found))


def refresh() -> None:
    """Write the page anew from the committed results."""
    found = Elsewhere.model_validate_json(RESULT.read_text(encoding="utf-8"))
    atomic.write_text(PAGE, text(found))


def text(found: Elsewhere) -> str:
    """Return the page."""
    wide = [one for one in found.consumed if one.base == "SD 1.4"]
    others = [one for one in found.consumed if one.base != "SD 1.4"]
    head = HEAD.format(
        pairs=f"{len(wide):,}",
        contributions=len({one.what for one in wide}),
        programs=len({one.program for one in wide}),
        producers=len(found.produced),
    )
    about = SD14.format(
        kinds=len(one_of_each_kind()),
        largest=f"{LARGEST / 1e6:g}",
        like=sum(bool(one.like) for one in wide),
        pairs=f"{len(wide):,}",
    )
    return "".join([
        head, lines(map(program_line, found.programs)), KNOW,
        lines(map(named_line, found.named)),
        about, lines(by_program(wide)), MADE, lines(made_line(one, wide) for one in found.made),
        CONSUMED, lines(map(consumed_line, others)),
        PRODUCED, lines(map(produced_line, found.produced)), second_calls(),
    ])  # fmt: skip


def named_line(one: Named) -> str:
    """Return one point about a conversion of names."""
    text = f"the text encoder's {one.text} and " if one.text else ""
    return (
        f"- **{one.program}** (its conversion of names alone ran) finds {one.known} of the "
        f"{one.layers} layers in {one.form} format, and not {text}"
        f"{', '.join(f'`{n}`' for n in one.others)}."
    )


def lines(some: Iterable[str]) -> str:
    """Return lines, each ended."""
    return "".join(f"{line}\n" for line in some)


def by_program(rows: Sequence[Consumed]) -> Iterator[str]:
    """Yield one row for each program and format."""
    for place in dict.fromkeys((one.program, one.form) for one in rows):
        some = [one for one in rows if (one.program, one.form) == place]
        took = [one for one in some if one.errors]
        none = [one for one in some if one.outcome in ("nothing", "refused", "fails")]
        used = f"{sum(one.used for one in some):,} of {sum(one.keys for one in some):,}"
        skipped = sum(one.skipped for one in took)
        said = next((one.said for one in none if one.said), "takes nothing of it")
        apart = worst(took, STRENGTHS) or said
        first = next((one.skipped_first for one in took if one.skipped), "")
        more = f", first `{first}`" if first else ""
        partly = f"; of {len(none)} of the files nothing" if none and took else ""
        yield (
            f"| {place[0]} | {place[1]} | {len(some)} | {used} | {skipped}{more} | {apart}{partly} "
            f"| {worst(took, [TWO])} |"
        )


def worst(rows: Sequence[Consumed], names: Sequence[str]) -> str:
    """Return the largest difference of some rows, and whether it is one."""
    errors = [one.errors[name] for one in rows for name in names if name in one.errors]
    differs = "**differs** " if any(one.outcome == "differs" for one in rows) else ""
    return f"{differs}{max(errors):.1e}" if errors else ""


def made_line(one: Made, rows: Sequence[Consumed]) -> str:
    """Return one row about a contribution."""
    own = [row for row in rows if row.what == one.name]
    whole = sum(row.used == row.keys and row.outcome == "same" for row in own)
    taken = f"{whole} of {len(own)}" if own else ""
    about = one.made or f"none: {one.said.partition(':')[0]}"
    apart = worst(own, [*STRENGTHS, TWO])
    return f"| {one.name} | {about} | {one.layers or ''} | {taken} | {apart} |"


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
    none = {"nothing": "takes nothing of it"}.get(one.outcome, one.said)
    skipped = f"{one.skipped} (first `{one.skipped_first}`)" if one.skipped else "0"
    apart = worst([one], STRENGTHS)
    return (
        f"| {one.what} | {one.form} | {one.program} | {one.used} of {one.keys} | "
        f"{skipped if apart else ''} | {apart or none} | {worst([one], [TWO])} |"
    )


def produced_line(one: Produced) -> str:
    """Return one row of theirs."""
    apart = "" if one.error is None else f"{one.error:.1e}"
    return f"| {one.name} | {one.layers or ''} | {apart} | {one.said} |"
