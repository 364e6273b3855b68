"""One of PEFT's adapters in place of the hub's own LoRA; docs/peft_methods.md lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from .options import build_spec

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from toolkit.core.settings import LoraConfig


def attach_peft(pipeline: StableDiffusionPipeline, config: LoraConfig) -> nn.Module:
    """Attach the adapter that ``config.method`` names to the U-Net and freeze everything else.

    Raises:
        ValueError: The text encoder is to be trained too, PEFT refuses an option, or no layer fits.
    """
    from .adapter import attach  # wakes PEFT, which takes a second

    if config.train_text_encoder:
        raise ValueError("train_text_encoder works with the hub's own LoRA only.")
    for model in (pipeline.vae, pipeline.text_encoder):
        model.requires_grad_(False)
    spec = build_spec(
        config.method, config.rank, config.effective_alpha, config.target_endings, config.options
    )
    return attach(pipeline.unet, spec)
