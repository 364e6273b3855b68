#!/usr/bin/env bash
# Fusing one of two active LoRAs switches the other one off; fuse_lora's lora_scale goes to the
# wrong one.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    fuse_lora(adapter_names=["a"], lora_scale=0.5) puts "a" into the weights at 0.5; the
#           active "b" goes on working beside it.
# Seen:     1. With "a" and "b" active, after fuse_lora(adapter_names=["a"]) the picture is that of
#           "a" alone. "b" is still listed as active, and does nothing in any layer that "a" was
#           fused into. 2. lora_scale multiplies the active adapters, not the named ones. With "b"
#           active, fuse_lora(adapter_names=["a"], lora_scale=0.5) fuses "a" at 1.0, and "b" is left
#           at 0.5. No warning.
# Matters:  "fuse the speed-up or style LoRA once, keep the character LoRA adjustable" draws without
#           the character. Fuse all of them, or none; to fuse at a strength, make the adapter the
#           active one first.
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
for name in ("a", "b"):
    unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_v"]), name)
for name, weight in unet.named_parameters():
    if "lora_B" in name:
        weight.data.normal_(std=0.3)
noise, text = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 16)


def draw(names=None, weights=None):
    if names:
        unet.set_adapters(names, weights)
    with torch.no_grad():
        return unet(noise, 5, text).sample


def same(one, other):
    return torch.allclose(one, other, atol=1e-5)


only_a, both = draw(["a"]), draw(["a", "b"])
assert not same(only_a, both)
with warnings.catch_warnings():
    warnings.simplefilter("error")
    unet.fuse_lora(adapter_names=["a"])
    result = draw()
print("active:", unet.active_adapters(), "- as both:", same(result, both), "- as a alone:", same(result, only_a))
assert unet.active_adapters() == ["a", "b"]
assert same(result, only_a) and not same(result, both)

unet.unfuse_lora()
a_half = draw(["a"], [0.5])
draw(["a"], [1.0])
draw(["b"], [1.0])
with warnings.catch_warnings():
    warnings.simplefilter("error")
    unet.fuse_lora(adapter_names=["a"], lora_scale=0.5)
    result = draw()
strengths = dict(unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q.scaling)
print("fused at 0.5 - as a at 0.5:", same(result, a_half), "- as a at 1.0:", same(result, only_a), strengths)
assert same(result, only_a) and not same(result, a_half)
assert strengths == {"a": 1.0, "b": 0.5}
EOF
