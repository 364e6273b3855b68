#!/usr/bin/env bash
# With two DoRA adapters the order of their names in set_adapters changes the result.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    set_adapters(["a", "b"]) and set_adapters(["b", "a"]) mean the same; adapters add up.
# Seen:     true for LoRA, to rounding. With DoRA the two orders give clearly different outputs: an
#           adapter works on what the one before it made of the layer. Fused or not makes no
#           difference. No warning.
# Matters:  the order in a script, in a UI's list or in a dictionary becomes part of the recipe. Two
#           people with the same two files and the same weights do not get the same picture.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig

torch.manual_seed(0)
noise, text = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 16)
results = {}
for dora in (False, True):
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval().requires_grad_(False)

    def draw():
        with torch.no_grad():
            return unet(noise, 5, text).sample

    base = draw()
    for name in ("a", "b"):
        unet.add_adapter(
            LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_v"], use_dora=dora), name
        )
    for name, weight in unet.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unet.set_adapters(["a", "b"])
        forward = draw()
        unet.set_adapters(["b", "a"])
        backward = draw()
    effect = float((forward - base).abs().max())
    difference = float((forward - backward).abs().max())
    print(f"{'DoRA' if dora else 'LoRA'}: effect {effect:.4f}, difference of the two orders {difference:.6f}")
    results[dora] = difference / effect
assert results[False] < 1e-4, results
assert results[True] > 0.05, results
EOF
