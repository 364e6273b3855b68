"""Models to load files into: Stable Diffusion 1.x's layers by name, narrow, with random weights.

A program finds its layers by name and merges them one by one, so narrow ones show the same as wide
ones. The text encoder has `text_model` in its names, as in the versions that the programs ask for.
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, Final

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from toolkit.drawings.loras import layout_of
from toolkit.lora_files.layout import SD1_UNET, UNET
from toolkit.lora_files.names import TEXT_MODEL

WIDTHS: Final = [16, 32, 64, 64]
TOKEN: Final = 16


def narrow_pipeline(seed: int = 0) -> StableDiffusionPipeline:
    """Return a pipeline with all 354 layers of SD 1.x, each a few numbers wide.

    Its tokenizer is missing: nothing is drawn with it.
    """
    torch.manual_seed(seed)
    settings: dict[str, Any] = {**SD1_UNET, "block_out_channels": WIDTHS}
    settings |= {"cross_attention_dim": TOKEN, "norm_num_groups": 4, "attention_head_dim": 4}
    config = CLIPTextConfig(
        vocab_size=64, bos_token_id=0, eos_token_id=1, hidden_size=TOKEN,
        intermediate_size=4 * TOKEN, num_hidden_layers=12, num_attention_heads=4,
    )  # fmt: skip
    vae = AutoencoderKL(block_out_channels=(4,), norm_num_groups=2)
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(config),
        tokenizer=None,
        unet=UNet2DConditionModel(**settings),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def copied(
    pipeline: StableDiffusionPipeline, changing: Collection[str] | None = None
) -> StableDiffusionPipeline:
    """Return a pipeline whose U-Net and text encoder can be changed.

    Args:
        pipeline: Of any size.
        changing: Layers whose weights are to be copied; the others are shared. None copies all.
    """
    parts = {**pipeline.components}
    kept = None
    if changing is not None:
        kept = {id(module.weight) for n, module in modules_of(pipeline).items() if n in changing}
    for part in ("unet", "text_encoder"):
        parts[part] = twin(parts[part], kept) if kept is not None else copy.deepcopy(parts[part])
    return StableDiffusionPipeline(**parts, requires_safety_checker=False)


def twin(module: nn.Module, changing: Collection[int]) -> nn.Module:
    """Return the same modules anew, with copies of some parameters and the others shared.

    Many times faster than a deep copy, which also copies every setting of every module.
    """
    made = copy.copy(module)
    for name, value in vars(module).items():
        if isinstance(value, dict):
            vars(made)[name] = copy.copy(value)
    for name, parameter in module._parameters.items():
        if parameter is not None and id(parameter) in changing:
            made._parameters[name] = nn.Parameter(parameter.detach().clone())
    for name, child in module._modules.items():
        made._modules[name] = None if child is None else twin(child, changing)
    return made


def modules_of(pipeline: StableDiffusionPipeline) -> dict[str, Any]:
    """Return each layer that a LoRA can be of, by its name in memory."""
    found = {}
    for name in layout_of(pipeline).layers:
        part, _, path = name.partition(".")
        model = getattr(pipeline, part)
        if part != UNET and not hasattr(model, "text_model"):
            path = path.removeprefix(TEXT_MODEL)
        found[name] = model.get_submodule(path)
    return found


def weights_of(pipeline: StableDiffusionPipeline, *, copy: bool = True) -> dict[str, Tensor]:
    """Return each layer's weight, or a copy of it, by its name in memory."""
    found = {name: one.weight.detach() for name, one in modules_of(pipeline).items()}
    return {name: one.clone() for name, one in found.items()} if copy else found


class WithTextModel(nn.Module):
    """A text encoder under the names that transformers gave it before 5.6."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.text_model = encoder


def text_encoder_of(pipeline: StableDiffusionPipeline) -> nn.Module:
    """Return the text encoder with `text_model` in its names."""
    encoder: nn.Module = pipeline.text_encoder
    return encoder if hasattr(encoder, "text_model") else WithTextModel(encoder)
