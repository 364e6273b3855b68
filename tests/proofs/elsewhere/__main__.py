"""Run other programs on the hub's files, and the hub on theirs: ``nox -s elsewhere``.

The programs lie where ``--programs`` says, each a folder with its code: ``sd-scripts``,
``ComfyUI``, ``A1111`` and ``LyCORIS``, and beside it a file ``NAME.commit``. diffusers and PEFT are
installed. A program that is not there is skipped, and the page says so.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from harness import paths
from toolkit.base_models.load import load_pipeline
from toolkit.core.errors import HubError
from toolkit.drawings.loras import layout_of
from toolkit.lora_files.memory import Lora, LoraLayer
from toolkit.lora_files.merge import merge_loras
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.report import inspect_lora
from toolkit.lora_files.resize import resize_lora
from toolkit.lora_files.write import write_lora

from . import consumers, page, producers
from .base import copied, narrow_pipeline, weights_of
from .programs import Program, found_in
from .results import Consumed, Elsewhere, Produced, Ran
from .trained import FILES, files_of

STRENGTHS = (1.0, 0.5, 0.0, -0.5)
PROGRAMS = paths.RUNS / "programs"
# One of each kind of file: own factors, every layer, the text encoder too, singular values.
SAMPLE = ("reference", "EveryLayer", "TextEncoderToo", "DoRA", "LoKr", "LoHa", "OFT")
# A program, which of our formats it is given, and what makes it ready.
Ready = tuple[str, tuple[str, ...], Callable[[], consumers.Consumer]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run both directions, write the result and the page; return 0 when nothing differs."""
    parser = argparse.ArgumentParser(prog="nox -s elsewhere --", description=__doc__)
    parser.add_argument("--programs", type=Path, default=PROGRAMS, help="(default: %(default)s)")
    parser.add_argument("--contributions", nargs="*", default=list(SAMPLE), metavar="NAME")
    parser.add_argument("--only", choices=("produced", "consumed"), help="one table")
    parser.add_argument("--in", nargs="*", dest="chosen", metavar="PROGRAM", help="some programs")
    parsed = parser.parse_args(argv)
    programs = found_in(parsed.programs)
    ran = [
        *(
            Ran(name=p.name, version=p.commit, there=p.folder is not None)
            for p in programs.values()
        ),
        *(Ran(name=name, version=version(name), there=True) for name in ("diffusers", "peft")),
    ]
    result = Elsewhere(programs=ran, consumed=[], produced=[])
    if parsed.only != "consumed":
        for one in produced(programs, parsed.chosen):
            result.produced.append(one)
            print(f"{one.name}: {one.outcome} {one.said}", flush=True)
            page.write(result)
    if parsed.only != "produced":
        for found in consumed(programs, parsed.contributions, parsed.chosen):
            result.consumed.append(found)
            print(f"{found.what} in {found.program} as {found.form}: {found.outcome}", flush=True)
            page.write(result)
    wrong = [one for one in result.produced if one.outcome == "differs"]
    return int(bool(wrong) or any(one.outcome == "differs" for one in result.consumed))


def ready(programs: dict[str, Program]) -> Iterator[Ready]:
    """Yield the programs that are there."""
    kohyas = {"sd-scripts": consumers.kohya, "A1111": consumers.a1111, "LyCORIS": consumers.lycoris}
    for name, make in kohyas.items():
        if programs[name].folder is not None:
            yield name, ("kohya",), partial(make, programs[name])
    if programs["ComfyUI"].folder is not None:
        comfyui = programs["ComfyUI"]
        yield "ComfyUI", ("kohya", "diffusers"), lambda: consumers.comfyui(comfyui)
    yield "diffusers", ("kohya", "diffusers"), lambda: consumers.in_diffusers
    yield "peft", ("peft",), lambda: consumers.in_peft


def consumed(
    programs: dict[str, Program], names: Sequence[str], chosen: Sequence[str] | None
) -> Iterator[Consumed]:
    """Yield what each program makes of each file."""
    embedded = load_pipeline(paths.ROOT / "models" / "tiny-sd")
    with tempfile.TemporaryDirectory(prefix="elsewhere-") as temporary:
        narrow = narrow_pipeline()
        everything = every_layer(narrow)
        files = {form: Path(temporary) / file for form, file in FILES.items()}
        for form, file in files.items():
            write_lora(everything, file, form, dtype="fp32")  # type: ignore[arg-type]
        sets = [("all 354 layers of SD 1.x, narrow", narrow, files)]
        for name in names:
            found, said = files_of(name)
            sets.append((name, embedded, found))
            if said:
                yield Consumed(what=name, program="export", form="", outcome="refused", said=said)
        for program, forms, make in ready(programs):
            if chosen and program not in chosen:
                continue
            consume = make()
            for (what, base, found), form in itertools.product(sets, forms):
                if form in found:
                    yield tried(what, program, form, consume, base, found[form])


def every_layer(pipeline: StableDiffusionPipeline) -> Lora:
    """Return a random LoRA of rank 4 on every layer of a pipeline."""
    torch.manual_seed(1)
    layers = {}
    for name, shape in layout_of(pipeline).layers.items():
        kernel = (shape.kernel, shape.kernel) if shape.is_conv else ()
        ones = (1, 1) if shape.is_conv else ()
        down = torch.randn(4, shape.in_features, *kernel) * 0.1
        up = torch.randn(shape.out_features, 4, *ones) * 0.1
        layers[name] = LoraLayer(down, up, 2.0)
    return Lora(layers)


def tried(
    what: str,
    program: str,
    form: str,
    consume: consumers.Consumer,
    base: StableDiffusionPipeline,
    file: Path,
) -> Consumed:
    """Merge one file at four strengths with a program; compare with what the hub reads."""
    lora, before = read_lora(file, layout_of(base)), weights_of(base)
    keys = len(consumers.tensors_in(file))
    found = Consumed(what=what, program=program, form=form, outcome="same", keys=keys)
    for strength in STRENGTHS:
        changed = copied(base)
        try:
            found.used = consume(file, changed, strength)
        except Exception as error:  # another program's code may raise anything
            return found.model_copy(update={"outcome": "fails", "said": f"{error!r:.200}"})
        after = weights_of(changed)
        errors = {
            name: float(((after[name] - before[name]) - strength * layer.delta()).norm())
            / max(float(layer.delta().norm()), 1e-12)
            for name, layer in lora.layers.items()
        }
        # A layer that the program knows nothing of is as it was.
        skipped = [n for n in errors if torch.equal(after[n], before[n]) and strength]
        known = {n: error for n, error in errors.items() if n not in skipped}
        others = [n for n in before if n not in errors and not torch.equal(after[n], before[n])]
        found.errors[f"{strength:g}"] = max(known.values(), default=0.0)
        found.skipped = len(skipped) if strength else found.skipped
        found.skipped_first = skipped[0] if skipped else found.skipped_first
        if max(known.values(), default=1.0) > consumers.TOLERANCE or others:
            found.outcome = "differs"
    return found


def produced(programs: dict[str, Program], chosen: Sequence[str] | None) -> Iterator[Produced]:
    """Yield what the hub makes of each file that another trainer wrote."""
    makers = [] if chosen and "peft" not in chosen else [producers.by_peft()]
    trainers = {"sd-scripts": producers.by_kohya, "LyCORIS": producers.by_lycoris}
    for name, trainer in trainers.items():
        if programs[name].folder is not None and (not chosen or name in chosen):
            makers.append(trainer(programs[name]))
    base = narrow_pipeline()
    with tempfile.TemporaryDirectory(prefix="elsewhere-") as temporary:
        for number, (name, make) in enumerate(itertools.chain(*makers)):
            torch.manual_seed(number)
            file = Path(temporary) / (
                f"{number}" if name.startswith("PEFT") else f"{number}.safetensors"
            )
            try:
                changes = make(copied(base), file)
            except Exception as error:  # another program's code may raise anything
                yield Produced(name=name, outcome="fails", said=f"{error!r:.200}")
                continue
            yield judged(name, file, changes, base)


def judged(
    name: str, file: Path, changes: producers.Deltas, base: StableDiffusionPipeline
) -> Produced:
    """Compare what the hub reads, merges and resizes with the producer's own change."""
    layout = layout_of(base)
    try:
        kind = inspect_lora(file, layout).kind
    except HubError as error:
        return Produced(name=name, outcome="refused", said=error.what)
    try:
        lora = read_lora(file, layout)
        copy = file.with_name(f"{file.stem}-again.safetensors")
        write_lora(lora, copy, dtype="fp32")
        forms = [lora, read_lora(copy, layout), merge_loras([lora, lora], [0.25, 0.75])]
        halved = resize_lora(forms[-1], energy=1.0).lora
    except HubError as error:
        return Produced(name=name, outcome="refused", kind=kind, said=error.what)
    worst = max(apart(one, changes) for one in [*forms, halved])
    same = worst < consumers.TOLERANCE and set(changes) == set(lora.layers)
    return Produced(
        name=name, outcome="same" if same else "differs", kind=kind, error=worst,
        layers=len(lora.layers), said="" if same else f"{len(set(changes) ^ set(lora.layers))} odd",
    )  # fmt: skip


def apart(lora: Lora, changes: producers.Deltas) -> float:
    """Return the largest relative difference of a layer."""
    return max(
        (
            float((layer.delta() - changes[name]).norm()) / max(float(changes[name].norm()), 1e-12)
            for name, layer in lora.layers.items()
            if name in changes
        ),
        default=1.0,
    )


if __name__ == "__main__":
    raise SystemExit(main())
