#!/usr/bin/env bash
# add_weighted_adapter multiplies rsLoRA adapters by the square root of the rank.
#
# Versions: peft 0.21.2, torch 2.13.0
# Guess:    add_weighted_adapter(["a"], [1.0], ..., combination_type="cat") is a copy of "a": "cat"
#           is the exact one.
# Seen:     true for a usual LoRA. For an adapter with use_rslora=True the copy is sqrt(r) times too
#           strong: the trained scale is folded into the new weights, and the new adapter, still
#           marked as rsLoRA, scales by sqrt(r) once more. Here rank 16: four times. "linear" and
#           "svd" do it as well. No warning.
# Matters:  mixing style and subject, or subtracting a LoRA, is done with this function; at four to
#           eleven times (rank 128) the strength the picture is burnt, and the cause looks like a
#           bad mix.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from peft import LoraConfig, get_peft_model

factors = {}
for rslora in (False, True):
    torch.manual_seed(0)
    model = get_peft_model(
        torch.nn.Sequential(torch.nn.Linear(32, 32)),
        LoraConfig(r=16, lora_alpha=16, target_modules=["0"], use_rslora=rslora),
        adapter_name="mine",
    )
    layer = model.base_model.model[0]
    layer.lora_B["mine"].weight.data.normal_()
    wanted = layer.get_delta_weight("mine").detach()
    for kind in ("cat", "linear", "svd"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.add_weighted_adapter(["mine"], [1.0], adapter_name=f"copy-{kind}", combination_type=kind)
        copy = layer.get_delta_weight(f"copy-{kind}").detach()
        factor = float((copy * wanted).sum() / wanted.square().sum())
        assert torch.allclose(copy, factor * wanted, atol=1e-3)
        factors[rslora, kind] = round(factor, 3)
        print(f"rsLoRA {rslora}, {kind}: {factor:.3f} times the original")
assert factors == {(r, k): 4.0 if r else 1.0 for r in (False, True) for k in ("cat", "linear", "svd")}, factors
EOF
