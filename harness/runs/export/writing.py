"""Write a training in one of the formats, each complete or not there."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import torch

from harness.protocol.base_model import with_models
from harness.runs.export.change import Change, module_of
from harness.sandbox.tidy import remove_tree
from toolkit.core import atomic
from toolkit.core.errors import UsageError
from toolkit.deltas.probing import add_delta
from toolkit.lora_files.memory import Lora
from toolkit.lora_files.names import Format
from toolkit.lora_files.write import DTYPES, DtypeName, write_lora

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

ExportFormat = Literal["kohya", "diffusers", "peft", "merged", "svd-lora"]
# The entry of a file's header, and the file in a folder, that says how it was made.
NOTE: Final = "hub.export"
NOTE_FILE: Final = "hub_export.json"


def lora_format(form: ExportFormat) -> Format:
    """Return the LoRA format behind an export format."""
    if form == "svd-lora":
        return "kohya"
    if form == "merged":
        raise ValueError("merged is a whole model")
    return form


def refuse_existing(out: Path, *, force: bool) -> None:
    """Refuse before the work is done what could not be written after it.

    Raises:
        UsageError: The target exists, or is a folder that the hub did not write.
    """
    if not out.exists():
        return
    if not force:
        raise UsageError(f"{out} exists already.", fix="Name another with --out, or add --force.")
    if out.is_dir() and not (out / NOTE_FILE).is_file():
        raise UsageError(
            f"{out} is a folder that no export wrote; it is not replaced.",
            fix="Name another with --out.",
        )


@contextmanager
def in_one_move(out: Path) -> Iterator[Path]:
    """Yield a path of the same name that takes the place of ``out`` when the block succeeds."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        draft = Path(temporary) / out.name
        yield draft
        if out.is_dir():
            out.rename(Path(temporary) / "old")
        draft.replace(out)


def write_export(
    lora: Lora, path: Path, form: ExportFormat, dtype: DtypeName, note: dict[str, object]
) -> None:
    """Write a LoRA with a note about how it was made in its header, and beside a PEFT folder."""
    size = f"{note['resolution']}x{note['resolution']}"
    about = {"modelspec.resolution": size, NOTE: json.dumps(note)}
    noted = Lora(lora.layers, {**lora.metadata, **about})
    if form == "peft":
        if path.exists():
            remove_tree(path)  # a draft of ours; PEFT folders are only ever written anew
        write_lora(noted, path, "peft", dtype=dtype)
        write_note(path, note)
        return
    write_lora(noted, path, lora_format(form), dtype=dtype, title=str(note["contribution"]))


def write_merged(
    pipeline: StableDiffusionPipeline, path: Path, dtype: DtypeName, note: dict[str, object]
) -> None:
    """Write a whole model in diffusers' layout. The pipeline is of that type afterwards."""
    for part in (pipeline.unet, pipeline.text_encoder, pipeline.vae):
        part.to(DTYPES[dtype])
    pipeline.save_pretrained(path, safe_serialization=True)
    write_note(path, note)


def write_note(folder: Path, note: dict[str, object]) -> None:
    """Say in a folder how it was made."""
    atomic.write_text(folder / NOTE_FILE, json.dumps(note, indent=1) + "\n")


def with_change(pipeline: StableDiffusionPipeline, change: Change) -> StableDiffusionPipeline:
    """Return a copy of the base with the whole change added, as inside the hub."""
    deltas: dict[str, dict[str, torch.Tensor]] = {"unet": {}, "text_encoder": {}}
    for name, delta in change.layers.items():
        part = name.partition(".")[0]
        deltas[part][parameter_of(pipeline, name)] = delta
    for name, delta in change.others.items():
        part, _, parameter = name.partition(".")
        deltas[part][parameter] = delta
    merged = {part: add_delta(getattr(pipeline, part), delta) for part, delta in deltas.items()}
    return with_models(pipeline, **merged)


def parameter_of(pipeline: StableDiffusionPipeline, layer: str) -> str:
    """Return the name of a layer's weight in the base's own model."""
    wanted = module_of(pipeline, layer)
    model = getattr(pipeline, layer.partition(".")[0])
    return next(f"{name}.weight" for name, module in model.named_modules() if module is wanted)
