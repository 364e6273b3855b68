#!/usr/bin/env bash
# A DoRA adapter at weight 0 is not the base model.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    set_adapters(name, 0.0), or scale 0 for one call, switches any adapter off.
# Seen:     for LoRA it does. Of a DoRA only the low-rank part is scaled; its trained length of
#           every output channel stays at full strength. At weight 0 a good part of its effect on
#           the picture is still there. Only disable_lora() gives the base model. No warning.
# Matters:  strength sliders and X/Y grids that start at 0 do not show the base model as their first
#           column, and a DoRA "blended out" over the steps of a picture never goes away.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig

torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
    cross_attention_dim=16, attention_head_dim=4,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
).eval().requires_grad_(False)
noise, text = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 16)


def draw(**scale):
    with torch.no_grad():
        return unet(noise, 5, text, cross_attention_kwargs=scale or None).sample


base = draw()
distance = {}
for kind in ("lora", "dora"):
    unet.add_adapter(
        LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_v"], use_dora=kind == "dora"), kind
    )
    unet.set_adapters(kind)
    for name, weight in unet.named_parameters():
        if f"lora_B.{kind}" in name:
            weight.data.normal_(std=0.3)
        if f"magnitude_vector.{kind}" in name:
            weight.data *= 1.3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        full = float((draw() - base).abs().max())
        by_call = float((draw(scale=0.0) - base).abs().max())
        unet.set_adapters(kind, 0.0)
        by_weight = float((draw() - base).abs().max())
    unet.disable_lora()
    off = float((draw() - base).abs().max())
    unet.enable_lora()
    distance[kind] = (full, by_call, by_weight, off)
    print(f"{kind}: full {full:.4f}, scale 0 {by_call:.4f}, weight 0 {by_weight:.4f}, disabled {off:.4f}")
assert distance["lora"][1:] == (0.0, 0.0, 0.0)
full, by_call, by_weight, off = distance["dora"]
assert off == 0.0 and by_call == by_weight > 0.1 * full, distance
EOF
