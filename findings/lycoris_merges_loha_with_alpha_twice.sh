#!/usr/bin/env bash
# LyCORIS merges a LoHa with alpha / dim applied twice.
#
# Versions: lycoris-lora 4.1.3, torch 2.13.0
# Guess:    merge_to(1.0) gives a model that draws as the applied network did; it does for LoCon and
#           LoKr.
# Seen:     for LoHa the merged change is alpha / dim times the right one. With dim 4, alpha 1 only
#           a quarter of the trained change arrives; with dim 4, alpha 8 it is twice too much. With
#           alpha = dim nothing shows. No warning.
# Matters:  LoHa is usually trained with an alpha well below the dim. The adapter works in the
#           trainer's previews, and the checkpoint merged from it looks untrained.
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


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 32))


factors = {}
for algo in ("lora", "lokr", "loha"):
    for alpha in (1, 4, 8):
        net = model()
        base = net[0].weight.detach().clone()
        adapter = create_lycoris(net, 1.0, linear_dim=4, linear_alpha=alpha, algo=algo)
        adapter.apply_to()
        for weight in adapter.parameters():
            weight.data.normal_(std=0.3)
        x = torch.randn(64, 16)
        with torch.no_grad():
            trained = net(x) - torch.nn.functional.linear(x, base, net[0].bias)
        save_file({name: value.contiguous() for name, value in adapter.state_dict().items()}, FILE)
        merged = model()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loaded, _ = create_lycoris_from_weights(1.0, FILE, merged)
            loaded.merge_to(1.0)
        with torch.no_grad():
            change = torch.nn.functional.linear(x, merged[0].weight - base)
        factor = float((change * trained).sum() / trained.square().sum())
        assert torch.allclose(change, factor * trained, atol=1e-3 * float(trained.abs().max()))
        factors[algo, alpha] = round(factor, 3)
        print(f"{algo}, dim 4, alpha {alpha}: merged change is {factor:.3f} times the applied one")
assert all(factors[algo, alpha] == 1.0 for algo in ("lora", "lokr") for alpha in (1, 4, 8)), factors
assert [factors["loha", alpha] for alpha in (1, 4, 8)] == [0.25, 1.0, 2.0], factors
EOF
