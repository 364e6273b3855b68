#!/usr/bin/env bash
# Layers trained with modules_to_save stay trained after disable_lora and even after unload_lora.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    as in PEFT, where disable_adapter() gives exactly the base model, modules_to_save
#           included.
# Seen:     on a diffusers model, disable_lora(), set_adapters(name, 0.0) and unload_lora() take
#           back the low-rank layers only. The trained copy of the layer stays in use, in the last
#           case with no adapter left that it could belong to. No warning.
# Matters:  people train conv_in with LoRA (inpainting, control, more input channels) or conv_out.
#           The "base" picture beside the LoRA's, the reference model of a preference loss and the
#           next LoRA all run on the changed layer.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model

torch.manual_seed(0)
noise, text = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 16)


def prepared(model_of):
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval().requires_grad_(False)
    base = draw(unet)
    model = model_of(unet, LoraConfig(r=4, target_modules=["to_q"], modules_to_save=["conv_out"]))
    for name, weight in model.named_parameters():
        if "modules_to_save" in name:
            weight.data += 0.5
    return model, base


def draw(model):
    with torch.no_grad():
        return model(noise, 5, text).sample


def with_diffusers(unet, config):
    unet.add_adapter(config, "mine")
    return unet


model, base = prepared(get_peft_model)
assert not torch.equal(draw(model), base)
with model.disable_adapter():
    print("PEFT, disabled, as base:", torch.equal(draw(model), base))
    assert torch.equal(draw(model), base)

distance = {}
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for step in ("disable_lora", "set_adapters 0", "unload_lora"):
        unet, base = prepared(with_diffusers)
        trained = draw(unet)
        if step == "disable_lora":
            unet.disable_lora()
        elif step == "unload_lora":
            unet.unload_lora()
        else:
            unet.set_adapters("mine", 0.0)
        distance[step] = float((draw(unet) - base).abs().max() / (trained - base).abs().max())
        print(f"diffusers, {step}: {distance[step]:.3f} of the distance to the base model is left")
assert all(left > 0.9 for left in distance.values()), distance
EOF
