#!/usr/bin/env bash
# create_lycoris(..., rs_lora=True) makes the same network as without it: the option is not read.
#
# Versions: lycoris-lora 4.1.3, torch 2.13.0
# Guess:    LyCORIS' two ways in, lycoris.kohya.create_network for kohya's trainer and create_lycoris
#           for one's own loop, take the same options; one that is not known is refused.
# Seen:     create_network scales by alpha / sqrt(dim) with rs_lora, create_lycoris by alpha / dim
#           with and without it, for LoCon, LoHa and LoKr alike. Nothing warns.
# Matters:  a setting copied from one trainer to the other learns at 1 / sqrt(dim) of the strength (a
#           quarter at dim 16), and a comparison of rs_lora with plain compares a run with itself.
#           Give alpha * sqrt(dim) as linear_alpha instead.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 lycoris-lora==4.1.3 numpy==2.4.6
"$PYTHON" - <<'EOF'
import logging

import torch
from torch import nn

logging.disable(logging.WARNING)
from lycoris import LycorisNetwork, create_lycoris, kohya

DIM, ALPHA = 16, 4.0


class Transformer2DModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_q = nn.Linear(96, 96, bias=False)


def scale(network):
    """Return what the product of the factors is multiplied by, and see that there is one layer."""
    (lora,) = getattr(network, "unet_loras", None) or network.loras
    return float(lora.scale)


LycorisNetwork.apply_preset({"target_module": ["Transformer2DModel"]})
for algo in ("locon", "loha", "lokr"):
    own, trainer = [], []
    for rs_lora in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(Transformer2DModel())
        more = {"algo": algo, "rs_lora": rs_lora, "factor": 2}
        network = create_lycoris(model, 1.0, linear_dim=DIM, linear_alpha=ALPHA, **more)
        own.append(scale(network))
        network = kohya.create_network(
            1.0, DIM, ALPHA, None, None, model, preset="attn-mlp", **more
        )
        trainer.append(scale(network))
    print(f"{algo}: create_lycoris {own}, create_network {trainer}")
    assert own == [ALPHA / DIM, ALPHA / DIM]
    assert trainer == [ALPHA / DIM, ALPHA / DIM**0.5]
EOF
