#!/usr/bin/env bash
# After a hotswap the adapter has the new file's weights and the old file's alpha, for all that
# follows.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    load_lora_adapter(..., hotswap=True) replaces the adapter; afterwards it is as if only
#           the new file had been loaded.
# Seen:     the first picture is right. But set_adapters(name, 1.0) goes back to the old file's
#           alpha / rank, and save_lora_adapter writes the new weights with the old alpha into a
#           file. Here alpha 4 was swapped for 16: a quarter of the strength. The file is wrong
#           wherever it is loaded. No warning.
# Matters:  hotswapping is what servers with a compiled model do. Setting a weight there, and
#           re-saving, are everyday steps; after enable_lora_hotswap(target_rank=64) even saving the
#           FIRST adapter goes wrong: rank 64 is written with the old alpha, so a rank-4 LoRA comes
#           back at a sixteenth.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import os
import warnings

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig

WORK = os.environ["WORK"]


def fresh():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval().requires_grad_(False)


def change(unet):
    layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q
    return layer.get_delta_weight("mine").detach()


def load(unet, name, **more):
    unet.load_lora_adapter(WORK, weight_name=f"{name}.safetensors", prefix=None, adapter_name="mine", **more)


trained = {}
for name, alpha in (("old", 4), ("new", 16)):
    unet = fresh()
    unet.add_adapter(LoraConfig(r=4, lora_alpha=alpha, target_modules=["to_q"]), "mine")
    for key, weight in unet.named_parameters():
        if "lora_B" in key:
            weight.data.normal_(std=alpha)
    trained[name] = change(unet)
    unet.save_lora_adapter(WORK, "mine", weight_name=f"{name}.safetensors")


def strength(unet, name):
    wanted = trained[name]
    return round(float((change(unet) * wanted).sum() / wanted.square().sum()), 4)


unet = fresh()
load(unet, "old")
with warnings.catch_warnings():
    warnings.simplefilter("error")
    load(unet, "new", hotswap=True)
    swapped = strength(unet, "new")
    unet.save_lora_adapter(WORK, "mine", weight_name="saved.safetensors")
    unet.set_adapters("mine", 1.0)
    weighted = strength(unet, "new")
again = fresh()
load(again, "saved")
saved = strength(again, "new")
print("hotswapped:", swapped, "- after set_adapters(1.0):", weighted, "- saved and loaded elsewhere:", saved)
assert (swapped, weighted, saved) == (1.0, 0.25, 0.25)

unet = fresh()
unet.enable_lora_hotswap(target_rank=64)
load(unet, "old")
prepared = strength(unet, "old")
unet.save_lora_adapter(WORK, "mine", weight_name="padded.safetensors")
again = fresh()
load(again, "padded")
print("prepared for rank 64:", prepared, "- saved and loaded elsewhere:", strength(again, "old"))
assert prepared == 1.0 and strength(again, "old") == 0.0625
EOF
