#!/usr/bin/env bash
# LyCORIS' own presets do not choose layers in create_lycoris: "attn-only" trains everything.
#
# Versions: lycoris-lora 4.1.3, diffusers 0.42.1, torch 2.13.0
# Guess:    create_lycoris(unet, preset="attn-only") makes adapters for attention, and
#           "unet-convblock-only" for the residual blocks; a name that does not exist is refused.
# Seen:     the eight built-in presets say what to choose in settings that only the kohya side
#           reads. In create_lycoris they switch 3x3 convolutions on or off and nothing else:
#           "attn-only" adapts residual blocks, time embedding and feed-forward layers as well, and
#           "unet-convblock-only" is the same as "full", attention included. There are two sets of
#           layers for eight names. What is logged says only that the model has no Conv1d.
# Matters:  the file is larger, other layers learn, and a comparison of presets compares a set of
#           layers with itself. Call LycorisNetwork.apply_preset with target_module or target_name,
#           and count the adapters.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 lycoris-lora==4.1.3 diffusers==0.42.1 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import logging
import warnings

import torch

logging.disable(logging.WARNING)
from diffusers import UNet2DConditionModel
from lycoris import create_lycoris
from lycoris.config import PRESET

unet = UNet2DConditionModel(
    sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
    cross_attention_dim=16, attention_head_dim=4,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
).requires_grad_(False)
PARTS = ("attn", "resnets", "time_emb", "_ff_")
chosen = {}
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for preset in PRESET:
        network = create_lycoris(unet, 1.0, linear_dim=4, linear_alpha=4, preset=preset)
        chosen[preset] = frozenset(lora.lora_name for lora in network.loras)
for preset, names in chosen.items():
    parts = {part: sum(part in name for name in names) for part in PARTS}
    print(f"{preset}: {len(names)} adapters, of them {parts}")
    assert all(parts.values())
with_conv = {"full", "unet-only", "unet-convblock-only"}
assert len({chosen[preset] for preset in with_conv}) == 1
assert len({chosen[preset] for preset in chosen.keys() - with_conv}) == 1
assert len(chosen) == 8 and len(set(chosen.values())) == 2
EOF
