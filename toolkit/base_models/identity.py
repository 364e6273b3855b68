"""Identify a base by its weights, whatever file they came from."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


def base_hash(pipeline: StableDiffusionPipeline) -> str:
    """Return the SHA-256 over a base's weights in float32, the same from whatever file they came.

    Asked before any LoRA is attached.
    """
    digest = hashlib.sha256()
    for part in ("text_encoder", "unet", "vae"):
        weights = getattr(pipeline, part).state_dict()
        for name in sorted(weights):
            plain = name.removeprefix("text_model.")
            digest.update(f"{part}.{plain} {tuple(weights[name].shape)}\n".encode())
            digest.update(weights[name].detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()
