"""A tiny pipeline with a LoRA made by PEFT, and the same LoRA in memory: two ways to one result."""

from __future__ import annotations

import copy

import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig
from torch import Tensor, nn

from tests.src.support import build_pipeline
from toolkit.lora_files.layout import LayerShape, Layout, build_layout
from toolkit.lora_files.memory import Lora, LoraLayer

# The base that tests/src/support.py builds, as lora_files sees it.
TINY_UNET = {
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "block_out_channels": [16, 16, 16, 16],
    "layers_per_block": 2,
    "cross_attention_dim": 32,
}
TINY_TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}

# Linear, 1x1 and 3x3 convolutions, a strided one, layers with and without a number in their name.
UNET_LAYERS = (
    "unet.down_blocks.0.attentions.0.proj_in",
    "unet.down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q",
    "unet.down_blocks.0.attentions.1.transformer_blocks.0.attn2.to_k",
    "unet.down_blocks.0.downsamplers.0.conv",
    "unet.down_blocks.1.resnets.0.conv1",
    "unet.down_blocks.1.resnets.0.time_emb_proj",
    "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "unet.mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj",
    "unet.mid_block.attentions.0.transformer_blocks.0.ff.net.2",
    "unet.up_blocks.0.resnets.0.conv_shortcut",
    "unet.up_blocks.0.upsamplers.0.conv",
    "unet.up_blocks.1.attentions.2.proj_out",
    "unet.conv_in",
    "unet.conv_out",
    "unet.time_embedding.linear_1",
    "unet.time_embedding.linear_2",
)
TEXT_LAYERS = (
    "text_encoder.text_model.encoder.layers.0.self_attn.q_proj",
    "text_encoder.text_model.encoder.layers.0.self_attn.out_proj",
    "text_encoder.text_model.encoder.layers.1.mlp.fc1",
    "text_encoder.text_model.encoder.layers.1.mlp.fc2",
)
ALL_LAYERS = UNET_LAYERS + TEXT_LAYERS


def tiny_layout() -> Layout:
    return build_layout(TINY_UNET, TINY_TEXT)


def random_layer(shape: LayerShape, rank: int, alpha: float, size: float = 0.3) -> LoraLayer:
    down = torch.randn(rank, shape.in_features) * size
    up = torch.randn(shape.out_features, rank) * size
    if shape.is_conv:
        kernel = (shape.kernel, shape.kernel)
        down = torch.randn(rank, shape.in_features, *kernel) * size
        up = up[:, :, None, None]
    return LoraLayer(down, up, alpha)


def random_lora(names=ALL_LAYERS, rank=3, alpha=2.0, seed=0, mixed=False) -> Lora:
    """Mixed: ranks and alphas that differ from layer to layer."""
    torch.manual_seed(seed)
    shapes = tiny_layout().layers
    layers = {}
    for index, name in enumerate(names):
        r = rank + index % 3 if mixed else rank
        layers[name] = random_layer(shapes[name], r, alpha + index % 2 if mixed else alpha)
    return Lora(layers, {"ss_seed": "7", "hub.name": "tiny"})


def assert_same_update(found: Lora, wanted: Lora, tolerance: float = 1e-6) -> None:
    assert list(found.layers) == list(wanted.layers)
    for name, layer in wanted.layers.items():
        other = found.layers[name]
        assert (other.down.shape, other.up.shape) == (layer.down.shape, layer.up.shape), name
        difference = (other.delta() - layer.delta()).abs().max()
        assert difference <= tolerance, (name, float(difference))


def module_at(pipeline: StableDiffusionPipeline, name: str) -> nn.Module:
    part, _, path = name.partition(".")
    model = getattr(pipeline, part)
    if not hasattr(model, "text_model"):
        path = path.removeprefix("text_model.")
    return model.get_submodule(path)


def with_update(pipeline: StableDiffusionPipeline, lora: Lora) -> StableDiffusionPipeline:
    """Return a copy whose weights have the LoRA's deltas added."""
    merged = copy_of(pipeline)
    with torch.no_grad():
        for name, layer in lora.layers.items():
            module_at(merged, name).weight.add_(layer.delta().float())
    return merged


def copy_of(pipeline: StableDiffusionPipeline) -> StableDiffusionPipeline:
    parts = {name: copy.deepcopy(part) for name, part in pipeline.components.items()}
    return StableDiffusionPipeline(**parts, requires_safety_checker=False)


@torch.no_grad()
def outputs(pipeline: StableDiffusionPipeline) -> tuple[Tensor, Tensor]:
    """What the U-Net and the text encoder answer to fixed input."""
    generator = torch.Generator().manual_seed(5)
    latents = torch.randn(2, 4, 8, 8, generator=generator)
    states = torch.randn(2, 6, 32, generator=generator)
    input_ids = torch.randint(0, 200, (2, 6), generator=generator)
    noise_pred = pipeline.unet(latents, torch.tensor([10, 700]), states).sample
    return noise_pred, pipeline.text_encoder(input_ids)[0]


def adapt_with_peft(pipeline: StableDiffusionPipeline, rank=4, alpha=6.0) -> None:
    """Let PEFT itself attach and fill a LoRA: the implementation that ours is compared with."""
    unet = [n.removeprefix("unet.") for n in UNET_LAYERS]
    text = [n.removeprefix("text_encoder.text_model.") for n in TEXT_LAYERS]
    torch.manual_seed(3)
    pipeline.unet.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=unet))
    pipeline.text_encoder.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=text))
    for model in (pipeline.unet, pipeline.text_encoder):
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                nn.init.normal_(parameter, std=0.2)


__all__ = ["build_pipeline"]
