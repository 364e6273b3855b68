#!/usr/bin/env bash
# With tomesd applied, the same seed gives another picture at each call.
#
# Versions: tomesd 0.1.3, diffusers 0.42.1, torch 2.13.0
# Guess:    token merging is approximate, but its random choice follows the seed, as any other.
# Seen:     the patch copies the state of the global generator at its first use and draws from that
#           copy ever after. Seeding before each call has no effect on it: two calls on the same
#           latents are as far apart as the patched model is from the unpatched one. Only applying
#           the patch anew before each picture, or use_rand=False, gives the same twice. No warning.
# Matters:  X/Y grids, "LoRA on and off with the same seed" and tests compare two pictures that
#           differ for another reason. A picture from the middle of a session cannot be drawn again.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 tomesd==0.1.3 diffusers==0.42.1 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import tomesd
import torch
from diffusers import UNet2DConditionModel

torch.manual_seed(0)
unet = UNet2DConditionModel(
    sample_size=8, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
    cross_attention_dim=16, attention_head_dim=4,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
).eval().requires_grad_(False)
x, t, text = torch.randn(2, 4, 8, 8), torch.tensor(5), torch.randn(2, 3, 16)


def draw():
    torch.manual_seed(7)
    return unet(x, t, text).sample


def apart(one, two):
    return float((one - two).abs().max())


with warnings.catch_warnings():
    warnings.simplefilter("error")
    plain = draw()
    assert apart(plain, draw()) == 0.0
    tomesd.apply_patch(unet, ratio=0.5)
    first, second = draw(), draw()
    tomesd.apply_patch(unet, ratio=0.5)
    patched_again = draw()
    tomesd.apply_patch(unet, ratio=0.5, use_rand=False)
    steady = apart(draw(), draw())
print(f"patched and unpatched are {apart(first, plain):.4f} apart")
print(f"same seed twice, patched: {apart(first, second):.4f} apart")
print(f"patched anew before the second: {apart(first, patched_again):.4f} apart")
assert apart(first, second) > 0.2 * apart(first, plain) > 0.005
assert apart(first, patched_again) == steady == 0.0
EOF
