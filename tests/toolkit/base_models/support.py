"""A small model of exactly Stable Diffusion 1.x's kind, and the same as a checkpoint file."""

from __future__ import annotations

import re

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from toolkit.base_models.checkpoint import SCHEDULER
from toolkit.base_models.clip import clip_tokenizer
from toolkit.lora_files.layout import SD1_UNET
from toolkit.lora_files.ldm import RESNET, ldm_name

WIDTH, TEXT_WIDTH = 32, 64


def build_sd1() -> StableDiffusionPipeline:
    torch.manual_seed(2)
    unet = UNet2DConditionModel(
        **{**SD1_UNET, "block_out_channels": [WIDTH] * 3 + [2 * WIDTH]},
        sample_size=64,
        attention_head_dim=8,
    )
    unet.register_to_config(cross_attention_dim=TEXT_WIDTH)
    unet = UNet2DConditionModel.from_config(unet.config)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(WIDTH, WIDTH, WIDTH, 2 * WIDTH),
        layers_per_block=2,
        sample_size=512,
        scaling_factor=0.18215,
    )
    text_encoder = CLIPTextModel(
        CLIPTextConfig(
            hidden_size=TEXT_WIDTH,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=1,
            hidden_act="quick_gelu",
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=49407,
        )
    )
    pipeline = StableDiffusionPipeline(
        unet=unet,
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=clip_tokenizer(),
        scheduler=PNDMScheduler.from_config(SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for model in (unet, vae, text_encoder):
        model.eval()
    return pipeline


def checkpoint_tensors(pipeline: StableDiffusionPipeline) -> dict[str, Tensor]:
    """The weights under their original names, written down from the original code's modules."""
    tensors = {}
    for name, tensor in pipeline.unet.state_dict().items():
        tensors[f"model.diffusion_model.{unet_key(name)}"] = tensor
    for name, tensor in pipeline.vae.state_dict().items():
        key = vae_key(name)
        is_attention = ".attn_1." in key and key.endswith("weight") and ".norm." not in key
        # The original has 1x1 convolutions where diffusers has linear layers.
        tensors[f"first_stage_model.{key}"] = tensor[:, :, None, None] if is_attention else tensor
    for name, tensor in pipeline.text_encoder.state_dict().items():
        plain = name.removeprefix("text_model.")
        tensors[f"cond_stage_model.transformer.text_model.{plain}"] = tensor
    return {name: tensor.clone().contiguous() for name, tensor in tensors.items()}


def unet_key(name: str) -> str:
    layer, _, parameter = name.rpartition(".")
    if layer == "conv_norm_out":
        return f"out.0.{parameter}"
    block, _, last = layer.rpartition(".")
    if re.search(r"resnets\.\d+$", block) and last in ("norm1", "norm2"):
        conv1 = ldm_name(f"{block}.conv1").removesuffix(RESNET["conv1"])
        return f"{conv1}{'in' if last == 'norm1' else 'out'}_layers.0.{parameter}"
    return f"{ldm_name(layer)}.{parameter}"


def vae_key(name: str) -> str:
    name = re.sub(r"encoder\.down_blocks\.(\d)", r"encoder.down.\1", name)
    name = re.sub(
        r"decoder\.up_blocks\.(\d)", lambda match: f"decoder.up.{3 - int(match[1])}", name
    )
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("resnets", "block")
    name = name.replace("samplers.0.conv", "sample.conv").replace("conv_norm_out", "norm_out")
    name = name.replace("conv_shortcut", "nin_shortcut").replace("group_norm", "norm")
    return re.sub(r"to_(q|k|v)\.", r"\1.", name).replace("to_out.0.", "proj_out.")


def write_checkpoint(pipeline, path, *, leave_out=(), metadata=None, dtype=torch.float16):
    tensors = {
        name: tensor.to(dtype)
        for name, tensor in checkpoint_tensors(pipeline).items()
        if not name.startswith(tuple(leave_out))
    }
    save_file(tensors, path, metadata=metadata or {})
    return path
