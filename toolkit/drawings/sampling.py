"""The sampler that a drawing asks for, for the time of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import diffusers

from .metadata import SCHEDULERS

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from toolkit.core.settings import GenerateConfig


@contextmanager
def sampling(pipeline: StableDiffusionPipeline, config: GenerateConfig) -> Iterator[None]:
    """Take the sampler asked for, switch dropout and progress bar off; all back afterwards."""
    models = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    # Of each module by itself: a new adapter trains inside models that do not.
    were_training = [(module, module.training) for model in models for module in model.modules()]
    bar = getattr(pipeline, "_progress_bar_config", {})
    own_scheduler = pipeline.scheduler
    pipeline.set_progress_bar_config(**{**bar, "disable": True})
    if config.scheduler is not None:
        # The base's betas and what it predicts stay. clip_sample said aloud: a base that does not
        # mention it would get DDIM's default, which cuts latents off at 1.
        settings = {**own_scheduler.config, "clip_sample": False}
        settings.pop("_use_default_values", None)  # its list of what to forget
        pipeline.scheduler = getattr(diffusers, SCHEDULERS[config.scheduler]).from_config(settings)
    for model in models:
        model.eval()
    try:
        yield
    finally:
        for module, was_training in were_training:
            module.training = was_training
        pipeline.scheduler = own_scheduler
        pipeline.set_progress_bar_config(**bar)
