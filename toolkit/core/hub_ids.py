"""Ids of models on the Hugging Face Hub, told from paths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+")
PICKLES: Final = (".ckpt", ".pt", ".pth", ".bin", ".pkl")


def is_hub_id(base: str) -> bool:
    """Tell an id such as ``CompVis/stable-diffusion-v1-4`` from a path that does not exist."""
    first = base.partition("/")[0]
    if first in (".", "..", "~") or Path(first).is_dir():
        return False  # models/tni-sd is a misspelt path
    return HUB_ID.fullmatch(base) is not None and not base.endswith((".safetensors", *PICKLES))
