"""The size that a base model was trained with."""

from __future__ import annotations

import json
from pathlib import Path

SD_NATIVE_PX = 512
LATENT_PX = 8  # pixels per latent, in every Stable Diffusion


def native_size_px(base: Path) -> int:
    """Return the size a base was trained with; 512 where only loading it would tell."""
    try:
        config = json.loads((base / "unet" / "config.json").read_text(encoding="utf-8"))
        return int(config["sample_size"]) * LATENT_PX
    except (OSError, ValueError, KeyError, TypeError):
        return SD_NATIVE_PX
