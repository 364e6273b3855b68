#!/usr/bin/env bash
# A LoRA trained with dropout keeps dropping factors while a pipeline draws with it.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    dropout is for training. A pipeline's models are in eval mode, so a loaded LoRA has
#           none, and the same latents give the same picture.
# Seen:     a file saved with the metadata that diffusers' training scripts add carries
#           lora_dropout. Loading it makes new dropout layers, and new layers are in training mode;
#           nothing switches them. `unet.training` is False, yet each call gives another result.
#           Both load_lora_into_unet (behind load_lora_weights) and load_lora_adapter do so. The
#           same weights saved without metadata are steady. No warning.
# Matters:  the seed no longer decides the picture, and each one is drawn with part of the LoRA
#           missing and the rest too strong. It looks like a noisy training. `pipe.unet.eval()`
#           after loading repairs it.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import os
import warnings

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.training_utils import _collate_lora_metadata
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict

FILE = "pytorch_lora_weights.safetensors"


def model():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval().requires_grad_(False)


trained = model()
trained.add_adapter(
    LoraConfig(r=4, lora_alpha=4, lora_dropout=0.5, target_modules=["to_q"], init_lora_weights=False)
)
weights = get_peft_model_state_dict(trained)
folders = {name: os.path.join(os.environ["WORK"], name) for name in ("with", "without")}
save = StableDiffusionPipeline.save_lora_weights
save(folders["with"], unet_lora_layers=weights, **_collate_lora_metadata({"unet": trained}))
save(folders["without"], unet_lora_layers=weights)

torch.manual_seed(1)
x, t, text = torch.randn(1, 4, 8, 8), torch.tensor(5), torch.randn(1, 3, 16)


def apart(unet):
    """Return how far two calls on the same input are apart."""
    with torch.no_grad():
        one, two = (unet(x, t, text).sample for _ in range(2))
    return float((one - two).abs().max())


def through_pipeline(folder):
    unet = model()
    state, alphas, metadata = StableDiffusionPipeline.lora_state_dict(
        folder, weight_name=FILE, return_lora_metadata=True
    )
    StableDiffusionPipeline.load_lora_into_unet(state, alphas, unet, metadata=metadata)
    return unet


def through_model(folder):
    unet = model()
    unet.load_lora_adapter(folder, weight_name=FILE, use_safetensors=True, prefix="unet")
    return unet


with warnings.catch_warnings():
    warnings.simplefilter("error")
    for load in (through_pipeline, through_model):
        for name, folder in folders.items():
            unet = load(folder)
            assert not unet.training
            seen = apart(unet)
            print(f"{load.__name__}, {name} metadata: two calls are {seen:.4f} apart")
            assert (seen > 1e-2) == (name == "with"), seen
            assert apart(unet.eval()) == 0.0
EOF
