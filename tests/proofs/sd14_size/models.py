"""Stable Diffusion 1.4 from its published configuration, with random weights: no download.

What such a model draws is noise; what it costs is what the real one costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from toolkit.base_models.clip import clip_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

WIDTHS = (320, 640, 1280, 1280)
UNET = {"sample_size": 64, "cross_attention_dim": 768, "block_out_channels": WIDTHS}
VAE: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "sample_size": 512,
}
TEXT: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 1,
}
SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "skip_prk_steps": True,
    "steps_offset": 1,
}


def build_pipeline(seed: int) -> StableDiffusionPipeline:
    """Return a float32 pipeline of SD 1.4's size; the same seed gives the same weights."""
    torch.manual_seed(seed)
    pipeline = StableDiffusionPipeline(
        unet=filled(lambda: UNet2DConditionModel(**UNET)),
        vae=filled(lambda: AutoencoderKL(**VAE)),
        text_encoder=filled(lambda: CLIPTextModel(CLIPTextConfig(**TEXT))),
        tokenizer=clip_tokenizer(),
        scheduler=PNDMScheduler(**SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def filled(build: Callable[[], Any]) -> Any:
    """Build a model without its slow initialisation, and fill it with small random numbers."""
    with torch.device("meta"):
        model = build()
    model.to_empty(device="cpu")
    for module in model.modules():
        norm = isinstance(module, (nn.GroupNorm, nn.LayerNorm))
        for name, parameter in module.named_parameters(recurse=False):
            if name == "bias":
                nn.init.zeros_(parameter)
            elif norm:
                nn.init.ones_(parameter)
            else:
                nn.init.normal_(parameter, std=0.02)
        for name, buffer in module.named_buffers(recurse=False):
            if name != "position_ids":
                raise ValueError(f"What has the buffer {name} to hold?")
            buffer.copy_(torch.arange(buffer.shape[-1]).expand_as(buffer))
    return model.eval()
