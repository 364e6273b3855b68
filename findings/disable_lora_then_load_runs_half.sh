#!/usr/bin/env bash
# A LoRA loaded while disable_lora() is in force runs in some layers and not in others.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    a newly loaded LoRA is on; or everything stays off until enable_lora().
# Seen:     neither. Layers that an earlier LoRA had wrapped stay off, layers that only the new one
#           has are on. Calling set_adapters(new) does not change that; nor does deleting the old
#           LoRA before. No warning.
# Matters:  "disable, draw the base picture, delete, load the next, draw" shows a mutilated LoRA as
#           soon as two files train different layers, and one that does nothing at all if they train
#           the same.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import os
import warnings

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig


def fresh():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval().requires_grad_(False)


def file(name, layers):
    unet = fresh()
    unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=layers))
    for key, weight in unet.named_parameters():
        if "lora_B" in key:
            weight.data.normal_(std=0.3)
    unet.save_lora_adapter(os.environ["WORK"], weight_name=name)


def load(unet, name):
    unet.load_lora_adapter(
        os.environ["WORK"], weight_name=name, prefix=None, adapter_name=name.removesuffix(".safetensors")
    )


def draw(unet):
    with torch.no_grad():
        return unet(noise, 5, text).sample


file("first.safetensors", ["to_q"])
file("second.safetensors", ["to_q", "to_k", "to_v"])
noise, text = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 16)
base = draw(fresh())
alone = fresh()
load(alone, "second.safetensors")
alone = draw(alone)

unet = fresh()
load(unet, "first.safetensors")
with warnings.catch_warnings():
    warnings.simplefilter("error")
    unet.disable_lora()
    assert torch.equal(draw(unet), base)
    unet.delete_adapters("first")
    load(unet, "second.safetensors")
    unet.set_adapters("second", 1.0)
result = draw(unet)
print("second LoRA alone against base:     ", float((alone - base).abs().max()))
print("after disable and load against base:", float((result - base).abs().max()))
print("after disable and load against alone:", float((result - alone).abs().max()))
states = {
    layer: {m.disable_adapters for n, m in unet.named_modules() if n.endswith(layer) and hasattr(m, "lora_A")}
    for layer in ("to_q", "to_k", "to_v")
}
print("layers that are off:", states)
assert states == {"to_q": {True}, "to_k": {False}, "to_v": {False}}
assert (result - base).abs().max() > 0.01 and (result - alone).abs().max() > 0.01
unet.enable_lora()
assert torch.equal(draw(unet), alone)
EOF
