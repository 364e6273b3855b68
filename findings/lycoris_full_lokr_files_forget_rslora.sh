#!/usr/bin/env bash
# A full-matrix LoKr trained with rs_lora acts from its own file at 1 / sqrt(dim) of what was trained.
#
# Versions: lycoris-lora 4.1.3, torch 2.13.0
# Guess:    rs_lora=True changes the scale from alpha / dim to alpha / sqrt(dim); the saved alpha
#           accounts for it, as it does for LoCon and LoHa, so the file draws what the network drew.
# Seen:     where both factors are full matrices (full_matrix=True, or a dim so large that nothing is
#           decomposed) LoKr takes alpha = dim, and rs_lora makes that a scale of sqrt(dim). A file of
#           two full matrices has no dim, so every reader takes a scale of 1, LyCORIS included,
#           whatever alpha the file states. LoCon and LoHa with rs_lora come back exactly, and so
#           does the same LoKr when its second matrix is decomposed. Nothing warns.
# Matters:  the previews of the training are right and the file is not: at the usual dim of 10000
#           for "full dimension" it acts at a hundredth. Leave rs_lora off for full LoKr, or use the
#           file at weight sqrt(dim).
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 lycoris-lora==4.1.3 numpy==2.4.6 safetensors==0.8.0
"$PYTHON" - <<'EOF'
import logging
import math
import os

import torch
from torch import nn

logging.disable(logging.WARNING)
from lycoris import kohya


class Transformer2DModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_q = nn.Linear(48, 48, bias=False)

    def forward(self, x):
        return self.to_q(x)


@torch.no_grad()
def strength(algo, dim, **more):
    """Return how strong the file acts, as a share of how strong the network acted."""
    torch.manual_seed(0)
    model = nn.Sequential(Transformer2DModel())
    x = torch.randn(5, 48)
    plain = model(x)
    network = kohya.create_network(
        1.0, dim, dim, None, None, model, algo=algo, preset="attn-mlp", rs_lora=True, **more
    )
    network.apply_to(None, model, apply_text_encoder=False, apply_unet=True)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    trained = model(x) - plain
    file = os.path.join(os.environ["WORK"], f"{algo}-{dim}-{len(more)}.safetensors")
    network.save_weights(file, torch.float32, {})
    network.restore()
    assert torch.equal(model(x), plain)
    again, _ = kohya.create_network_from_weights(1.0, file, None, None, model, for_inference=True)
    again.apply_to(None, model, apply_text_encoder=False, apply_unet=True)
    loaded = model(x) - plain
    again.restore()
    return float((loaded * trained).sum() / trained.square().sum())


for algo, dim, more in (("locon", 4, {}), ("loha", 4, {}), ("lokr", 2, {"factor": 4})):
    share = strength(algo, dim, **more)
    print(f"{algo} of dim {dim}: the file acts at {share:.4f} of the training")
    assert abs(share - 1) < 1e-4
for dim, more in ((4, {"full_matrix": True}), (100, {}), (10000, {})):
    share = strength("lokr", dim, **more)
    print(f"full lokr of dim {dim}: the file acts at {share:.4f} of the training")
    assert abs(share * math.sqrt(dim) - 1) < 1e-3
EOF
