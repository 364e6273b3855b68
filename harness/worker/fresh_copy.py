"""A fresh start for each seed."""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.protocol.base_model import with_models

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

COPIED = ("unet", "text_encoder", "vae", "tokenizer", "scheduler")


def fresh_copy(base: StableDiffusionPipeline) -> StableDiffusionPipeline:
    """Return a pipeline whose parts are copies, so that one seed cannot touch the next."""
    return with_models(base, **{part: copy.deepcopy(getattr(base, part)) for part in COPIED})


def seed_everything(seed: int) -> None:
    """Seed the global generators a contribution might use, so that a run repeats exactly."""
    random.seed(seed)
    np.random.seed(seed)  # the legacy global generator is the one to be seeded
    torch.manual_seed(seed)
