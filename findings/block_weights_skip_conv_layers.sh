#!/usr/bin/env bash
# Block weights of 0 for all blocks leave parts of a LoRA with conv layers at full strength.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    set_adapters(name, {"down": 0, "mid": 0, "up": 0}) switches the LoRA off in all three
#           parts of the UNet.
# Seen:     only for layers in blocks that have attention. Resnet layers of the middle block and of
#           blocks without attention (in SD 1.x: the last down and the first up block) stay at 1.0.
#           A resnet layer in a block with attention takes the weight of the attention of the same
#           index. No warning.
# Matters:  LoCon / "conv_dim" LoRAs and LoRAs on every layer. "Only the up blocks" draws with the
#           deepest conv layers as well, which carry much of the composition.
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
unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "conv1"]), "locon")
with warnings.catch_warnings():
    warnings.simplefilter("error")
    unet.set_adapters("locon", {"down": 0.0, "mid": 0.0, "up": 0.0})
strengths = {
    name: module.scaling["locon"] for name, module in unet.named_modules() if hasattr(module, "lora_A")
}
still_on = sorted(name for name, strength in strengths.items() if strength)
print(f"{len(still_on)} of {len(strengths)} layers are not off:", *still_on, sep="\n  ")
assert still_on == [
    "down_blocks.1.resnets.0.conv1",
    "mid_block.resnets.0.conv1",
    "mid_block.resnets.1.conv1",
    "up_blocks.0.resnets.0.conv1",
    "up_blocks.0.resnets.1.conv1",
], still_on
assert all(strengths[name] == 1.0 for name in still_on)
EOF
