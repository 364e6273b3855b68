#!/usr/bin/env bash
# After fuse_qkv_projections() a LoRA works in some attention layers and is ignored in the others.
#
# Versions: diffusers 0.42.1, peft 0.21.2, torch 2.13.0
# Guess:    fusing query, key and value into one matrix only saves time: the LoRA is part of it, or
#           there is an error.
# Seen:     the fused matrix is copied from the base weights. A LoRA loaded before or after has no
#           effect on what was fused (self-attention, and key and value of cross-attention), and
#           still acts on the query of cross-attention and on the output layers. No warning, and
#           get_list_adapters and the adapters' weights look as usual. The other way round,
#           fuse_lora() first, the matrix keeps the LoRA: unfuse_lora() then takes nothing away.
# Matters:  guides for fast inference call it once after loading the pipeline, before any LoRA.
#           Every LoRA then looks weak and off. Use unfuse_qkv_projections() around each change of
#           LoRAs.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig


def model():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        cross_attention_dim=16, attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval().requires_grad_(False)


def add_lora(unet):
    torch.manual_seed(1)
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False
    )
    unet.add_adapter(config)


torch.manual_seed(2)
x, t, text = torch.randn(1, 4, 8, 8), torch.tensor(5), torch.randn(1, 3, 16)


@torch.no_grad()
def draw(unet):
    return unet(x, t, text).sample


def apart(one, two):
    return float((one - two).abs().max())


base = draw(model())
with warnings.catch_warnings():
    warnings.simplefilter("error")
    plain = model()
    add_lora(plain)
    right = draw(plain)
    lora_first, qkv_first, fused = plain, model(), model()
    lora_first.fuse_qkv_projections()
    qkv_first.fuse_qkv_projections()
    add_lora(qkv_first)
    for name, unet in (("LoRA, then QKV", lora_first), ("QKV, then LoRA", qkv_first)):
        got = draw(unet)
        print(f"{name}: {apart(got, right):.3f} from the LoRA, {apart(got, base):.3f} from the base")
        assert apart(got, right) > 0.1 and apart(got, base) > 0.05
        unet.unfuse_qkv_projections()
        assert apart(draw(unet), right) < 1e-5
    add_lora(fused)
    fused.fuse_lora()
    fused.fuse_qkv_projections()
    assert apart(draw(fused), right) < 1e-5
    fused.unfuse_lora()
    fused.disable_lora()
got = draw(fused)
print(f"fuse_lora, QKV, unfuse_lora, disable_lora: {apart(got, base):.3f} from the base")
assert apart(got, base) > 0.1
print(f"effect of the LoRA: {apart(right, base):.3f}")
EOF
