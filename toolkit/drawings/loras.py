"""Add LoRA files from any trainer, with weights, to a base before drawing.

W' = W + w1 (alpha1 / r1) B1 A1 + w2 (alpha2 / r2) B2 A2 + ...

Added to the weights they cost nothing while drawing, and they work beside any adapter.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.core.errors import HubError, UsageError
from toolkit.drawings.metadata import LoraUse

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from toolkit.lora_files.layout import Layout


def parse_lora(text: str) -> LoraUse:
    """Read ``FILE`` or ``FILE:WEIGHT``.

    Raises:
        UsageError: There is no such file, or the weight is no number.
    """
    path, colon, weight = text.rpartition(":")
    if not colon or Path(text).exists():  # C:\\robot.safetensors has a colon of its own
        path, weight = text, "1"
    try:
        number = float(weight)
    except ValueError:
        path, number = text, 1.0
    if not Path(path).exists():
        raise UsageError(
            f"There is no LoRA file {path}.",
            fix="Write --lora FILE, or --lora FILE:0.8 for another weight than 1.",
        )
    if not math.isfinite(number):
        raise UsageError(f"The weight of {path} is {weight}, which is no finite number.")
    return LoraUse(file=Path(path), weight=number, sha256=tensors_hash(Path(path)))


def tensors_hash(path: Path) -> str:
    """Return the SHA-256 over a file's tensors (of a PEFT folder: over all of its files').

    Raises:
        HubError: The file is damaged or a pickle.
    """
    from toolkit.lora_files.header import read_header

    files = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
    if not files:
        raise HubError("The folder holds no .safetensors file.", where=str(path))
    digest = hashlib.sha256()
    for name in files:
        start = read_header(name).body_start
        with name.open("rb") as file:
            file.seek(start)
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def check_unchanged(use: LoraUse) -> None:
    """Make sure a file is the one that a picture was drawn with.

    Raises:
        UsageError: It is not there any more, or holds something else now.
    """
    if not use.file.exists():
        raise UsageError(
            f"The picture was drawn with {use.file}, which is not there any more.",
            fix=f"Put it back; its tensors have the SHA-256 {use.sha256}.",
        )
    if tensors_hash(use.file) != use.sha256:
        raise UsageError(
            f"{use.file} is not the file that the picture was drawn with.",
            fix=f"Put that one back; its tensors have the SHA-256 {use.sha256}.",
        )


def add_loras(pipeline: StableDiffusionPipeline, uses: tuple[LoraUse, ...]) -> int:
    """Add LoRA files to the weights of a pipeline, in place.

    Args:
        pipeline: U-Net and text encoder in float32.
        uses: Files of any format that lora_files reads, with their weights.

    Returns:
        How many layers were changed, counted once for each file.

    Raises:
        HubError: A file cannot be read, or was made for another base; nothing is changed then.
    """
    import torch

    from toolkit.lora_files.names import TEXT_MODEL
    from toolkit.lora_files.read import read_lora

    layout = layout_of(pipeline)
    loras = [read_lora(use.file, layout) for use in uses]
    changes = []
    for use, lora in zip(uses, loras, strict=True):
        if lora.embeddings:
            raise HubError(
                f"{use.file.name} also holds embeddings, of {', '.join(lora.words())}: drawing "
                "here has no place for them, and without them the words mean something else.",
                where=str(use.file),
                fix="To draw with the LoRA alone, write it with `convert --without-embeddings`.",
            )
        for name, layer in lora.layers.items():
            part, _, path = name.partition(".")
            model = getattr(pipeline, part)
            if not hasattr(model, "text_model"):  # transformers 5.6 dropped it from the names
                path = path.removeprefix(TEXT_MODEL)
            weight = model.get_submodule(path).weight
            shape = (layer.up.shape[0], *layer.down.shape[1:])  # (out, in) or (out, in, k, k)
            if shape != tuple(weight.shape):
                raise HubError(
                    f"{use.file.name} was made for another base: its {name} is {shape}, the base's "
                    f"{tuple(weight.shape)}.",
                    where=str(use.file),
                    fix="Draw with the base it was trained on; `inspect` may name it.",
                )
            changes.append((weight, layer, use.weight))
    with torch.no_grad():
        for weight, layer, times in changes:
            weight.copy_(weight.double() + times * layer.delta().to(weight.device))
    return len(changes)


def layout_of(pipeline: StableDiffusionPipeline) -> Layout:
    """Return the names of the layers of a pipeline's U-Net and text encoder."""
    from toolkit.lora_files.layout import build_layout

    return build_layout(dict(pipeline.unet.config), pipeline.text_encoder.config.to_dict())
