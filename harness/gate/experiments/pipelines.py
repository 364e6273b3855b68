"""A cheap text encoder, and the state of a pipeline in words; for all groups of the profile."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import CLIPTextModel

if TYPE_CHECKING:
    from harness.gate.experiments.context import Context


def small_text_encoder(context: Context) -> CLIPTextModel:
    """Return a random text encoder of the base's kind and length, so small that it costs nothing.

    The U-Net's stand-in takes any width.
    """
    if "small text encoder" not in context.shared:
        config = copy.deepcopy(context.workshop.base.text_encoder.config)
        small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
        config.update({**small, "num_hidden_layers": 2, "projection_dim": 16})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            context.shared["small text encoder"] = CLIPTextModel(config).eval()
    model: CLIPTextModel = context.shared["small text encoder"]
    return model


@torch.no_grad()
def embedded(pipeline: Any, captions: list[str]) -> Tensor:
    """Return what the pipeline's text encoder makes of captions now, (n, S, D)."""
    ids = pipeline.tokenizer(
        captions, padding="max_length", truncation=True, return_tensors="pt"
    ).input_ids
    hidden: Tensor = pipeline.text_encoder(ids)[0].float()
    return hidden


def state_of(pipeline: Any, adapter: nn.Module) -> dict[str, str]:
    """Return flags and settings that a training must leave as they were."""
    found = {"the scheduler's settings": str(copy.copy(pipeline.scheduler.config))}
    for part in ("unet", "vae", "text_encoder"):
        model: nn.Module = getattr(pipeline, part)
        # Of an adapter's own modules the mode may be either: they are new.
        found[f"mode of the {part}"] = "training" if model.training else "eval"
        grads = sum(p.requires_grad for p in model.parameters())
        found[f"trainable parameters of the {part}"] = str(grads)
    scales = sorted({str(m.lora_scale) for m in adapter.modules() if hasattr(m, "lora_scale")})
    found["lora_scale"] = ", ".join(scales)
    return found
