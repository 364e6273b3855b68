#!/usr/bin/env bash
# Looking at the base model for a moment makes frozen adapter weights trainable.
#
# Versions: peft 0.21.2, torch 2.13.0
# Guess:    disable_adapter() is a context: afterwards everything is as before, requires_grad too.
# Seen:     an adapter loaded for inference (frozen, as PeftModel.from_pretrained loads it) is
#           trainable after an empty `with model.disable_adapter(): pass`. Likewise lora_A, when
#           somebody froze it to train lora_B alone. No warning. diffusers' disable_lora/enable_lora
#           and set_adapters do the same.
# Matters:  previews and the reference pass of a preference loss use this in the middle of training.
#           A frozen adapter then gets gradients, costs memory, and is trained along as soon as an
#           optimiser is made from all trainable weights, for instance at the start of a second
#           phase.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import os
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model


def net():
    return torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))


def trainable(model):
    return sorted(name.split("model.")[-1] for name, weight in model.named_parameters() if weight.requires_grad)


get_peft_model(net(), LoraConfig(r=2, target_modules=["0"])).save_pretrained(os.environ["WORK"])
frozen = PeftModel.from_pretrained(net(), os.environ["WORK"])
before = trainable(frozen)
with warnings.catch_warnings():
    warnings.simplefilter("error")
    with frozen.disable_adapter():
        pass
after = trainable(frozen)
print("loaded for inference:", before, "->", after)
assert before == []
assert after == ["0.lora_A.default.weight", "0.lora_B.default.weight"], after

half = get_peft_model(net(), LoraConfig(r=2, target_modules=["0"]))
half.base_model.model[0].lora_A["default"].requires_grad_(False)
before = trainable(half)
with half.disable_adapter():
    pass
after = trainable(half)
print("lora_A frozen by hand:", before, "->", after)
assert before == ["0.lora_B.default.weight"] and len(after) == 2, (before, after)
EOF
