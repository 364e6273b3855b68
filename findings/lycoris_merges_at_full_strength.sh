#!/usr/bin/env bash
# A LyCORIS network made with multiplier 0.5 draws at 0.5 and merges at 1.
#
# Versions: lycoris-lora 4.1.3, torch 2.13.0
# Guess:    the multiplier is the network's strength: apply_to() and merge_to() use it, and
#           set_multiplier changes it for both.
# Seen:     merge_to() has a strength of its own that starts at 1 and knows nothing of the
#           network's. create_lycoris_from_weights(0.5, file, model) merges the whole change, and
#           with multiplier 0 as well; set_multiplier(0.5) before it has no effect either. So for
#           every kind of network that was tried. No warning.
# Matters:  the strength that was found with the applied network, and given when it was made, is
#           not in the merged checkpoint. Give it to merge_to again.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 lycoris-lora==4.1.3 safetensors==0.8.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import logging
import warnings

import torch

logging.disable(logging.WARNING)  # a note about the tiny layer's rank
from lycoris import LycorisNetwork, create_lycoris, create_lycoris_from_weights

LycorisNetwork.apply_preset({"target_module": ["Sequential"]})
x = torch.randn(64, 16, generator=torch.Generator().manual_seed(2))


def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(16, 32))


@torch.no_grad()
def strengths(algo, multiplier):
    """Return the change of the applied, the merged and the reset network, relative to 1."""
    base = model()(x)
    adapter = create_lycoris(model(), 1.0, linear_dim=4, linear_alpha=4, algo=algo)
    adapter.apply_to()
    torch.manual_seed(1)
    for weight in adapter.parameters():
        weight.data.add_(torch.randn_like(weight), alpha=0.1)
    state = adapter.state_dict()

    def change(at, use):
        net = model()
        use(create_lycoris_from_weights(at, "", net, weights_sd=state)[0])
        return net(x) - base

    def reset(network):
        network.set_multiplier(multiplier)
        network.merge_to()

    whole = change(1.0, lambda network: network.apply_to())
    changes = (
        change(multiplier, lambda network: network.apply_to()),
        change(multiplier, lambda network: network.merge_to()),
        change(1.0, reset),
    )
    return [round(float((one * whole).sum() / whole.square().sum()), 3) for one in changes]


with warnings.catch_warnings():
    warnings.simplefilter("error")
    for algo in ("lora", "loha", "lokr", "full", "glora", "diag-oft"):
        for multiplier in (0.5, 0.0):
            applied, merged, set_later = strengths(algo, multiplier)
            print(f"{algo} at {multiplier}: applied {applied}, merged {merged}, set later {set_later}")
            assert abs(applied - multiplier) < 1e-3 and merged == set_later == 1.0
EOF
