#!/usr/bin/env bash
# Changing a LoRA's weight while it is fused makes unfuse_lora() damage the base model for good.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    while fused, set_adapters(name, 0.5) either has no effect, or re-fuses at 0.5;
#           unfuse_lora() brings the base model back in any case.
# Seen:     it draws on at full strength, so the new weight seems to do nothing. But unfuse_lora()
#           takes away the change at the NEW weight: half of the LoRA stays in the base weights, and
#           unloading the LoRA does not remove it. fuse_lora(lora_scale=0.5) called twice has the
#           same end: the second call fuses nothing but halves the weight, a quarter stays behind.
#           set_adapters says nothing.
# Matters:  every later LoRA in this process is drawn (or trained) on a base model that still
#           carries part of an earlier one. Set the weight before fusing, or unfuse before setting
#           it.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig


def prepared():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval().requires_grad_(False)
    base = unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q.weight.clone()
    unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q"]), "mine")
    layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q
    layer.lora_B["mine"].weight.data.normal_()
    return unet, base, layer.get_delta_weight("mine").detach()


def left_behind(unet, base, change):
    unet.unload_lora()
    now = unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q.weight
    return round(float(((now - base) * change).sum() / change.square().sum()), 4)


unet, base, change = prepared()
unet.fuse_lora()
unet.unfuse_lora()
plain = left_behind(unet, base, change)

unet, base, change = prepared()
with warnings.catch_warnings():
    warnings.simplefilter("error")
    unet.fuse_lora()
    unet.set_adapters("mine", 0.5)
    unet.unfuse_lora()
between = left_behind(unet, base, change)

unet, base, change = prepared()
unet.fuse_lora(lora_scale=0.5)
unet.fuse_lora(lora_scale=0.5)
unet.unfuse_lora()
twice = left_behind(unet, base, change)

print("share of the LoRA left in the base weights after unfuse and unload:")
print("  fuse, unfuse:", plain)
print("  fuse, set_adapters 0.5, unfuse:", between)
print("  fuse at 0.5, fuse at 0.5, unfuse:", twice)
assert (plain, between, twice) == (0.0, 0.5, 0.25), (plain, between, twice)
EOF
