"""A base of Stable Diffusion 1.4's shapes: one layer of each kind and shape, at its real width.

SD 1.4 has 354 layers that a LoRA can sit beside, of 78 kinds: 320, 640 and 1280 wide, attention,
feed-forward, each convolution, and CLIP's 768. The first of each kind has its real shape and random
weights, the others are a few numbers wide: a method works on each layer by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

from tests.proofs.sd14_size.models import TEXT
from tests.proofs.sd14_size.models import UNET as SD14_UNET
from toolkit.lora_files.layout import LayerShape, sd1_layout

from .base import modules_of

# Of the layers that no file is made of. Methods with blocks want a width that they divide.
OTHERS: Final = 64
# Numbers in a layer that singular values are computed of.
LARGEST: Final = 4_000_000
SPREAD: Final = 0.02  # standard deviation of the weights


def one_of_each_kind() -> list[str]:
    """Return the first layer of each kind: what it is called in its block, and its shape."""
    found: dict[tuple[Any, ...], str] = {}
    for name, shape in sd1_layout().layers.items():
        words = [word for word in name.split(".")[-3:] if not word.isdigit()]
        found.setdefault((name.partition(".")[0], *words, shape), name)
    return list(found.values())


def one_of_each_shape(names: Iterable[str]) -> list[str]:
    """Return the first of some layers of each shape, of those that are quick to decompose."""
    found: dict[LayerShape, str] = {}
    for name in names:
        shape = sd1_layout().layers[name]
        if shape.in_features * shape.out_features * max(shape.kernel, 1) ** 2 <= LARGEST:
            found.setdefault(shape, name)
    return list(found.values())


def wide_pipeline(seed: int = 0) -> StableDiffusionPipeline:
    """Return the base. Nothing can be drawn with it: its layers do not fit each other."""
    torch.manual_seed(seed)
    tokens = {"vocab_size": OTHERS, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SD14_UNET)
        encoder = CLIPTextModel(CLIPTextConfig(**{**TEXT, **tokens}))
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(block_out_channels=(4,), norm_num_groups=2),
        text_encoder=encoder,
        tokenizer=None,
        unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    modules = modules_of(pipeline)
    for name in modules.keys() - set(one_of_each_kind()):
        replace(pipeline, modules[name])
    for model in (unet, encoder):
        model.to_empty(device="cpu")
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=SPREAD)
        model.eval()
    return pipeline


def replace(pipeline: StableDiffusionPipeline, layer: nn.Module) -> None:
    """Put a narrow layer of the same kind in the place of a layer."""
    for model in (pipeline.unet, pipeline.text_encoder):
        for parent in model.modules():
            for name, child in parent.named_children():
                if child is layer:
                    setattr(parent, name, narrow(child))
                    return


def narrow(layer: nn.Module) -> nn.Module:
    """Return a narrow layer of the same kind."""
    with torch.device("meta"):
        if isinstance(layer, nn.Conv2d):
            size = {"kernel_size": layer.kernel_size, "stride": layer.stride}
            return nn.Conv2d(OTHERS, OTHERS, padding=layer.padding, **size)  # type: ignore[arg-type]
        return nn.Linear(OTHERS, OTHERS, bias=layer.bias is not None)
