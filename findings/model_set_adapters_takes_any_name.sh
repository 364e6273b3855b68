#!/usr/bin/env bash
# unet.set_adapters with a misspelt name switches every LoRA off and says nothing.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    an error that lists the adapters that are there: the pipeline's set_adapters and the
#           model's own set_adapter (singular) both give one.
# Seen:     the model's set_adapters (plural) takes any string, reports it as the active adapter,
#           and from then on the output is exactly the base model's. No error, no warning.
# Matters:  training scripts and tools work on the UNet or transformer, not on a pipeline. A typo in
#           a name gives a preview or an evaluation of the base model under the LoRA's label, and in
#           training leaves nothing to train.
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


def draw():
    with torch.no_grad():
        return unet(noise, 5, text).sample


base = draw()
unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q"]), "robot")
for name, weight in unet.named_parameters():
    if "lora_B" in name:
        weight.data.normal_(std=0.3)
assert not torch.equal(draw(), base)
trained = [weight for weight in unet.parameters() if weight.requires_grad]
with warnings.catch_warnings():
    warnings.simplefilter("error")
    unet.set_adapters("robto", 0.8)
left = [weight for weight in unet.parameters() if weight.requires_grad]
print("active:", unet.active_adapters(), "- base model's output:", torch.equal(draw(), base))
print("tensors to train before and after:", len(trained), len(left))
assert unet.active_adapters() == ["robto"] and torch.equal(draw(), base)
assert trained and not left
try:
    unet.set_adapter("robto")
except ValueError as error:
    print("set_adapter:", error)
else:
    raise AssertionError("set_adapter took it as well")
EOF
