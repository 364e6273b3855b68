#!/usr/bin/env bash
# One picture drawn with cross_attention_kwargs={"scale": 0} resets the weight given by set_adapters
# to 1.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    "scale" holds for one call; afterwards the adapter is at the weight that set_adapters
#           gave it.
# Seen:     true for every scale but 0. After a call with scale 0 (a usual way to draw the "without
#           LoRA" picture) the adapter is at 1.0, whatever set_adapters had said. No warning.
# Matters:  "with, without, with" gives three different strengths: 0.4, 0, 1.0. A comparison sheet
#           that draws the base picture first shows the LoRA too strong in all others.
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
unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_v"]), "mine")
for name, weight in unet.named_parameters():
    if "lora_" in name:
        weight.data.normal_(std=0.3)
unet.set_adapters("mine", 0.4)
noise, text = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 16)


@torch.no_grad()
def draw(**scale):
    result = unet(noise, 5, text, cross_attention_kwargs=scale or None).sample
    return result, unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q.scaling["mine"]


with warnings.catch_warnings():
    warnings.simplefilter("error")
    first, strength = draw()
    print("set_adapters 0.4:", strength)
    assert strength == 0.4
    print("after a call with scale 0.5:", draw(scale=0.5)[1])
    again, strength = draw()
    assert abs(strength - 0.4) < 1e-9 and torch.allclose(first, again, atol=1e-6)
    print("after a call with scale 0:", draw(scale=0.0)[1])
    last, strength = draw()
print("the third picture differs from the first by", float((last - first).abs().max()))
assert strength == 1.0, strength
assert (last - first).abs().max() > 0.01
EOF
