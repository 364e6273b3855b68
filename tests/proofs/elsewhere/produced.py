"""Other trainers' files here: what the hub makes of each, against the trainer's own change."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn

from toolkit.core.errors import HubError
from toolkit.drawings.loras import add_loras, layout_of, parse_lora
from toolkit.lora_files.extract import extract_lora
from toolkit.lora_files.memory import Lora
from toolkit.lora_files.merge import merge_loras
from toolkit.lora_files.read import read_lora
from toolkit.lora_files.report import inspect_lora
from toolkit.lora_files.resize import resize_lora
from toolkit.lora_files.write import write_lora

from . import producers
from .base import copied, modules_of, narrow_pipeline, weights_of
from .merging import TOLERANCE
from .onetrainer import by_onetrainer
from .programs import Program
from .results import Produced


def all_of(programs: dict[str, Program], chosen: Sequence[str] | None) -> Iterator[Produced]:
    """Yield what the hub makes of each file that another trainer wrote."""
    makers = [] if chosen and "peft" not in chosen else [producers.by_peft()]
    trainers = {
        "sd-scripts": producers.by_kohya,
        "LyCORIS": producers.by_lycoris,
        "OneTrainer": by_onetrainer,
    }
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
        plain = Lora(lora.layers)  # trained words beside it fit no other format
        copy = file.with_name(f"{file.stem}-again.safetensors")
        write_lora(plain, copy, dtype="fp32")
        forms = {
            "read": lora,
            "convert": read_lora(copy, layout),
            "merge": merge_loras([plain, plain], [0.25, 0.75]),
        }
        forms["resize"] = resize_lora(forms["merge"], energy=1.0).lora
        drawn = drawn_with(file if not lora.embeddings else copy, base)
        rank = max(lora.ranks())
        forms["extract"] = extract_lora(drawn.items(), rank=rank, layout=layout).lora
    except HubError as error:
        return Produced(name=name, outcome="refused", kind=kind, said=error.what)
    errors = {how: apart({n: x.delta() for n, x in one.layers.items()}, changes)
              for how, one in forms.items()}  # fmt: skip
    errors["generate"] = apart({n.removesuffix(".weight"): d for n, d in drawn.items()}, changes)
    odd = set(changes) ^ set(lora.layers)
    wrong = [how for how, error in errors.items() if not error < TOLERANCE]
    return Produced(
        name=name, outcome="differs" if odd or wrong else "same", kind=kind,
        error=max(errors.values()), layers=len(lora.layers),
        said=f"{len(odd)} odd layers; {', '.join(wrong)}" if odd or wrong else "",
    )  # fmt: skip


def drawn_with(file: Path, base: StableDiffusionPipeline) -> dict[str, Tensor]:
    """Return what `generate --lora` adds to the weights of the base that it draws with.

    The base's weights are zero here, so that nothing is rounded away in the sum.
    """
    empty = copied(base)
    for module in modules_of(empty).values():
        nn.init.zeros_(module.weight)
    add_loras(empty, (parse_lora(f"{file}:1"),))
    found = {f"{name}.weight": weight for name, weight in weights_of(empty).items()}
    return {name: weight for name, weight in found.items() if bool(weight.any())}


def apart(found: dict[str, Tensor], changes: producers.Deltas) -> float:
    """Return the largest relative difference of a layer."""
    return max(
        (
            float((delta - changes[name]).norm()) / max(float(changes[name].norm()), 1e-12)
            for name, delta in found.items()
            if name in changes
        ),
        default=1.0,
    )
