#!/usr/bin/env bash
# LyCORIS with dora_wd and bypass_mode trains a plain LoRA and saves it as a DoRA.
#
# Versions: lycoris-lora 4.1.3, torch 2.13.0
# Guess:    the two options work together, or one is refused.
# Seen:     in bypass mode the forward pass never uses dora_scale: no gradient reaches it, and the
#           output is that of a plain LoRA. The file has a dora_scale all the same, at its starting
#           value, and every reader takes the file for a DoRA: loaded again it draws something else
#           than was trained. LyCORIS's own loader included. No warning.
# Matters:  bypass_mode saves memory and is what quantised base models need, so it gets combined
#           with any algorithm. The previews while training are right, the file is not.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 lycoris-lora==4.1.3 safetensors==0.8.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import logging
import os
import warnings

import torch

logging.disable(logging.INFO)
from lycoris import LycorisNetwork, create_lycoris, create_lycoris_from_weights
from safetensors.torch import save_file

LycorisNetwork.apply_preset({"target_module": ["Sequential"]})
FILE = os.path.join(os.environ["WORK"], "file.safetensors")
torch.manual_seed(0)
x = torch.randn(64, 16)


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 32)).requires_grad_(False)


def train(**options):
    net = model()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapter = create_lycoris(net, 1.0, linear_dim=4, linear_alpha=4, algo="lora", **options)
        adapter.apply_to()
    torch.manual_seed(1)
    for name, weight in adapter.named_parameters():
        if "dora_scale" not in name:
            weight.data.normal_(std=0.3)
    result = net(x)
    result.square().sum().backward()
    scale = [weight for name, weight in adapter.named_parameters() if "dora_scale" in name]
    save_file({name: value.detach().contiguous() for name, value in adapter.state_dict().items()}, FILE)
    again = model()
    loaded, _ = create_lycoris_from_weights(1.0, FILE, again)
    loaded.apply_to()
    difference = float((again(x) - result).norm() / (result - model()(x)).norm())
    return result.detach(), bool(scale) and scale[0].grad is not None, bool(scale), difference


plain = train()
dora = train(dora_wd=True)
bypassed = train(dora_wd=True, bypass_mode=True)
for name, (_, gradient, saved, difference) in (("plain", plain), ("dora", dora), ("dora + bypass", bypassed)):
    print(f"{name}: dora_scale in file {saved}, gets a gradient {gradient}, file differs from training by {difference:.3f}")
assert dora[1:3] == (True, True) and dora[3] < 1e-4 and plain[3] < 1e-4
assert bypassed[1:3] == (False, True) and bypassed[3] > 0.1
assert torch.allclose(bypassed[0], plain[0], atol=1e-5)
EOF
