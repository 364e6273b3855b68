#!/usr/bin/env bash
# add_weighted_adapter on DoRA adapters forgets the trained magnitudes.
#
# Versions: peft 0.21.2, torch 2.13.0
# Guess:    add_weighted_adapter(["a"], [1.0], ..., combination_type="cat") is a copy of "a", or
#           refuses DoRA.
# Seen:     the new adapter is marked as DoRA and has the right low-rank part, but its magnitude
#           vector is made anew from the base weights. The copy of one adapter at weight 1.0 gives
#           another output. No warning.
# Matters:  the magnitude is the half of DoRA that plain LoRA does not have; a mix of DoRAs comes
#           out as something that nobody trained. Merge DoRAs into the model one after the other
#           instead.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from peft import LoraConfig, get_peft_model

torch.manual_seed(0)
model = get_peft_model(
    torch.nn.Sequential(torch.nn.Linear(32, 32)),
    LoraConfig(r=4, lora_alpha=4, target_modules=["0"], use_dora=True),
    adapter_name="mine",
).eval()
layer = model.base_model.model[0]
fresh = layer.lora_magnitude_vector["mine"].weight.detach().clone()
x = torch.randn(4, 32)
with torch.no_grad():
    with model.disable_adapter():
        base = model(x)
    layer.lora_B["mine"].weight.normal_(std=0.3)
    layer.lora_magnitude_vector["mine"].weight.mul_(1.5)
    trained = model(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.add_weighted_adapter(["mine"], [1.0], adapter_name="copy", combination_type="cat")
    model.set_adapter("copy")
    copy = model(x)
difference = float((copy - trained).norm() / (trained - base).norm())
print(f"copy against original: {difference:.3f} of the original's whole effect")
print("low-rank part the same:", torch.allclose(layer.get_delta_weight("copy"), layer.get_delta_weight("mine")))
print("magnitudes as untrained:", torch.allclose(layer.lora_magnitude_vector["copy"].weight, fresh))
assert model.peft_config["copy"].use_dora
assert torch.allclose(layer.get_delta_weight("copy"), layer.get_delta_weight("mine"))
assert torch.allclose(layer.lora_magnitude_vector["copy"].weight, fresh)
assert difference > 0.1
EOF
