"""What the tests of src/ build with: a pipeline of SD 1.4's module paths in a few kilobytes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from toolkit.core.settings import DatasetConfig

TEXT_WIDTH = 32
CAPTIONS = ("a red circle", "a green circle", "a blue circle", "a dog in a park")
COLOURS = ("red", "green", "blue", "orange")

# One run per implementation: whatever the contract asks for is asked of both.
IMPLEMENTATIONS = ("src", "CONTRIBUTIONS.Example1.src")


def build_tokenizer() -> CLIPTokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=24)


def build_pipeline(layers_per_block: int = 2) -> StableDiffusionPipeline:
    torch.manual_seed(1)
    tokenizer = build_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 16, 16, 16),
        layers_per_block=layers_per_block,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=0.18215,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=24,
            hidden_act="quick_gelu",
            bos_token_id=len(tokenizer) - 2,
            eos_token_id=len(tokenizer) - 1,
            pad_token_id=len(tokenizer) - 1,
        )
    )
    scheduler = PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        steps_offset=1,
    )
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for model in (unet, vae, text_encoder):
        model.eval()
    return pipeline


def copy_pipeline(pristine: StableDiffusionPipeline) -> StableDiffusionPipeline:
    parts = {name: copy.deepcopy(part) for name, part in pristine.components.items()}
    return StableDiffusionPipeline(**parts, requires_safety_checker=False)


# At 64 px the U-Net's innermost self-attention sees one place: its softmax is 1 whatever the query
# and the key are. What rounding leaves of their gradients is zero on some processors.
WITHOUT_GRADIENT = tuple(
    f"mid_block.attentions.0.transformer_blocks.0.attn1.{name}" for name in ("to_q", "to_k")
)


def all_moved(layers: Iterable[Any]) -> bool:
    """Tell whether training moved every LoRA layer that can get a gradient."""
    learning = [
        layer for layer in layers if not getattr(layer, "layer_name", "").endswith(WITHOUT_GRADIENT)
    ]
    return bool(learning) and all(layer.lora_B.abs().sum() > 0 for layer in learning)


class Steps:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.losses: list[float] = []

    def step(self, step: int, loss: float) -> None:
        self.steps.append(step)
        self.losses.append(loss)


def snapshot(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def open_dataset(make_dataset: Callable[..., Any], data_dir: Path, **settings: Any) -> Any:
    """Call a make_dataset hook at 64 px with those arguments that it asks for, as pluggy does."""
    arguments = {"data_dir": data_dir, "resolution": 64, "config": DatasetConfig(**settings)}
    wanted = inspect.signature(make_dataset).parameters
    return make_dataset(**{name: value for name, value in arguments.items() if name in wanted})
