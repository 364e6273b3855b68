#!/usr/bin/env bash
# Fusing a LoRA at half strength and unfusing it leaves the LoRA itself at half strength.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    fuse_lora(lora_scale=0.5) followed by unfuse_lora() puts everything back as it was.
# Seen:     the base weights are back, but the loaded adapter now works at 0.5, and a second
#           fuse_lora(lora_scale=0.5) fuses it at 0.25. Each round halves it again. No warning.
# Matters:  a loop "fuse at 0.5, draw, unfuse" over prompts or over strengths draws the first
#           picture at 0.5 and the following ones at 0.25, 0.125 ...; a strength grid made like this
#           is wrong from the second column on. set_adapters(name, 1.0) between the rounds resets
#           the strength.
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
layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q
base = layer.weight.clone()
unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q"]), "mine")
layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q
layer.lora_B["mine"].weight.data.normal_()
change = layer.get_delta_weight("mine").detach()


def share():
    """How much of the adapter's change is in the base weight now."""
    return round(float(((layer.base_layer.weight - base) * change).sum() / change.square().sum()), 4)


fused, strengths = [], []
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for _ in range(3):
        unet.fuse_lora(lora_scale=0.5)
        fused.append(share())
        unet.unfuse_lora()
        strengths.append(layer.scaling["mine"])
        assert share() == 0.0
print("fused strength of three equal calls:", fused)
print("strength of the unfused adapter after each:", strengths)
assert fused == [0.5, 0.25, 0.125], fused
assert strengths == [0.5, 0.25, 0.125], strengths
unet.set_adapters("mine", 1.0)
assert layer.scaling["mine"] == 1.0
EOF
