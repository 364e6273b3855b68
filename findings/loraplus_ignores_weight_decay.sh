#!/usr/bin/env bash
# create_loraplus_optimizer drops weight_decay.
#
# Versions: peft 0.21.2, torch 2.13.0
# Guess:    arguments for the optimiser class go through to it, weight_decay as well as eps and betas.
# Seen:     eps and betas arrive. weight_decay=0.1 is taken without a word, and every group has 0.0: the function
#           sets its own value, and that one is called loraplus_weight_decay. AdamW's usual 0.01 is gone too.
# Matters:  a comparison of LoRA+ against plain AdamW "with the same settings" compares two things at once, and a sweep
#           over weight_decay draws a perfectly flat line.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_loraplus_optimizer

model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(8, 8)), LoraConfig(target_modules=["0"]))


def decays(**settings):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = create_loraplus_optimizer(
            model, torch.optim.AdamW, lr=1e-4, loraplus_lr_ratio=16, eps=1e-6, **settings
        )
    groups = [group for group in optimizer.param_groups if group["params"]]
    assert all(group["eps"] == 1e-6 for group in groups)
    return [group["weight_decay"] for group in groups]


print("weight_decay=0.1:", decays(weight_decay=0.1))
print("not given:", decays())
print("loraplus_weight_decay=0.1:", decays(loraplus_weight_decay=0.1))
assert decays(weight_decay=0.1) == [0.0, 0.0]
assert decays() == [0.0, 0.0]
assert decays(loraplus_weight_decay=0.1) == [0.1, 0.1]
EOF
