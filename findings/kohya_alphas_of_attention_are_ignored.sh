#!/usr/bin/env bash
# A kohya file whose layers have different alphas is loaded at the wrong strength in the attention
# layers.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    each layer gets its own alpha / rank; the loader reads all alphas, and hands PEFT a
#           pattern of them.
# Seen:     for the feed-forward layers it works. For to_q, to_k, to_v and to_out the names in that
#           pattern are in an old spelling ("attn1.processor.to_q_lora.down.weight") that no module
#           has: those layers take the alpha that is most frequent in the file. PEFT says in a
#           RuntimeWarning that keys "were ignored"; the load succeeds. The layers here have alpha 1
#           at rank 4 and come out four times too strong.
# Matters:  files from block-wise training (block_alphas), from merging and from resizing by kohya's
#           tools. The same file is right in A1111 and ComfyUI, so the picture differs and the file
#           is blamed.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
    cross_attention_dim=16, attention_head_dim=4,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
).eval().requires_grad_(False)
file, wanted = {}, {}
for number, (name, module) in enumerate(unet.named_modules()):
    if isinstance(module, torch.nn.Linear) and ("attn" in name or ".ff." in name):
        alpha = 1.0 if name.startswith("mid_block") else 4.0
        key = "lora_unet_" + name.replace(".", "_")
        file[f"{key}.lora_down.weight"] = torch.randn(4, module.in_features)
        file[f"{key}.lora_up.weight"] = torch.randn(module.out_features, 4)
        file[f"{key}.alpha"] = torch.tensor(alpha)
        wanted[name] = alpha / 4
weights, alphas = StableDiffusionPipeline.lora_state_dict(file)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    StableDiffusionPipeline.load_lora_into_unet(weights, alphas, unet, adapter_name="mine")
found = {name: module.scaling["mine"] for name, module in unet.named_modules() if hasattr(module, "lora_A")}
wrong = {name: round(found[name] / wanted[name], 3) for name in wanted if found[name] != wanted[name]}
print(f"{len(wrong)} of {len(wanted)} layers are wrong, by a factor of", set(wrong.values()))
print("right with alpha 1:", [name for name in wanted if wanted[name] == 0.25 and name not in wrong])
assert set(wrong.values()) == {4.0}
assert len(wrong) == 8 and all(".attn" in name and name.startswith("mid_block") for name in wrong), wrong
assert all(name not in wrong for name in wanted if ".ff." in name)
assert any("were ignored" in str(warning.message) for warning in caught)
EOF
