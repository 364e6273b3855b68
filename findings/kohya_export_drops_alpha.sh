#!/usr/bin/env bash
# diffusers' converter to kohya files writes the rank as alpha, whatever lora_alpha was.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    convert_state_dict_to_kohya keeps the strength: alpha in the file is the lora_alpha of
#           the training.
# Seen:     every .alpha in the result is the rank, as a whole number. It cannot be otherwise: a
#           PEFT state dict holds no alpha, and the function takes no argument for it. Trained with
#           r=16, lora_alpha=4, the file works at four times the trained strength in A1111, ComfyUI
#           and every other reader. No warning.
# Matters:  training scripts call it at their end for "the file for A1111". Those who train with
#           alpha = rank never notice; with alpha 1, the old kohya habit, the file is rank times too
#           strong. Multiply lora_up by lora_alpha / r, or correct .alpha.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers import UNet2DConditionModel
from diffusers.utils import convert_state_dict_to_kohya
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
    cross_attention_dim=16, attention_head_dim=4,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
).eval().requires_grad_(False)
unet.add_adapter(LoraConfig(r=16, lora_alpha=4, target_modules=["to_q"]))
layer = unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q
layer.lora_B["default"].weight.data.normal_()
trained = layer.get_delta_weight("default").detach()
with warnings.catch_warnings():
    warnings.simplefilter("error")
    weights = get_peft_model_state_dict(unet)
    file = convert_state_dict_to_kohya({f"unet.{name}": weight for name, weight in weights.items()})
key = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
down, up, alpha = (file[f"{key}.{part}"] for part in ("lora_down.weight", "lora_up.weight", "alpha"))
from_file = up @ down * (float(alpha) / down.shape[0])
factor = float((from_file * trained).sum() / trained.square().sum())
print(f"lora_alpha was 4, alpha in the file is {alpha} ({alpha.dtype}); strength of the file: {factor:.3f}")
assert {float(value) for name, value in file.items() if name.endswith(".alpha")} == {16.0}
assert abs(factor - 4.0) < 1e-3
EOF
