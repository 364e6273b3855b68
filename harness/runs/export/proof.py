"""Load a written file as a user would, and compare: its weights, and the pictures it draws."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from harness.protocol.base_model import with_models
from harness.protocol.track_file import Sampling
from harness.runs.export.change import weight_of
from harness.runs.export.writing import ExportFormat
from harness.scoring.sampler import decode, sample_latents
from toolkit.core.errors import HubError
from toolkit.lora_files.layout import PARTS
from toolkit.lora_files.memory import Lora

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# Relative error of a layer's change as the library computes it from the file: its own rounding.
TOLERANCE = 1e-2


@dataclass(frozen=True)
class PictureDifference:
    """How far pictures are apart, in shares of the whole range from black to white.

    Args:
        mean: Over all pixels of all pictures.
        most: Of the pixel that differs most.
    """

    mean: float
    most: float


def loaded(base: StableDiffusionPipeline, out: Path, form: ExportFormat) -> StableDiffusionPipeline:
    """Return a copy of the base with the written file, by the library that the file is for."""
    if form == "merged":
        from toolkit.base_models.load import load_pipeline

        return load_pipeline(out)
    parts = {part: copy.deepcopy(getattr(base, part)) for part in PARTS}
    fresh = with_models(base, **parts)
    if form == "peft":
        from peft import PeftModel

        merged = {}
        for part in PARTS:
            if (out / part).is_dir():
                with warnings.catch_warnings():
                    # peft 0.21 asks transformers 5.23 something by a name that is going away.
                    warnings.simplefilter("ignore", FutureWarning)
                    model = PeftModel.from_pretrained(parts[part], out / part)
                merged[part] = model.merge_and_unload()
        return with_models(fresh, **merged)
    import diffusers

    # It warns that the file has nothing for the text encoder, which is no fault.
    diffusers.utils.logging.set_verbosity_error()
    fresh.load_lora_weights(str(out.parent), weight_name=out.name)
    fresh.fuse_lora()
    fresh.unload_lora_weights()
    return fresh


@torch.no_grad()
def require_same_weights(
    base: StableDiffusionPipeline, found: StableDiffusionPipeline, lora: Lora, out: Path
) -> float:
    """Make sure that the library made of the file what the file says.

    Returns:
        The largest relative error of a layer's change.

    Raises:
        HubError: A layer has another change, or one that the file does not mention has any.
    """
    worst, where = 0.0, ""
    for name, layer in lora.layers.items():
        wanted = layer.delta()
        before = weight_of(base, name).double()
        change = weight_of(found, name).double() - before
        error = float((change - wanted).norm() / wanted.norm().clamp_min(1e-12))
        # A change far below the weight's own rounding cannot be seen in the sum.
        rounding = 1e-6 * float(before.norm()) / max(float(wanted.norm()), 1e-12)
        if error > worst + rounding:
            worst, where = error, name
    if worst > TOLERANCE:
        raise HubError(
            f"The library makes something else of the file: the change of {where} is off by "
            f"{worst:.1%}.",
            where=str(out),
            fix="Please report this with the versions that `nox -s doctor` shows.",
        )
    return worst


def draw(
    pipeline: StableDiffusionPipeline, prompts: tuple[str, ...], sampling: Sampling, side_px: int
) -> list[Image.Image]:
    """Draw with the trusted sampler: the same noise, steps and guidance for all."""
    latents = sample_latents(pipeline, prompts, sampling, side_px)  # (n, 4, h, w)
    return decode(pipeline, latents, sampling.batch_size)


def difference(one: list[Image.Image], other: list[Image.Image]) -> PictureDifference:
    """Compare pictures pixel by pixel."""
    pairs = zip(one, other, strict=True)
    apart = [np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)) / 255 for a, b in pairs]
    return PictureDifference(float(np.mean(apart)), float(np.max(apart)))
