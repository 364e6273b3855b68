#!/usr/bin/env bash
# Two OFT adapters merged into the model do something else than the two together did before.
#
# Versions: peft 0.21.2, torch 2.13.0
# Guess:    merge_adapter() and merge_and_unload() write into the weights what the active adapters
#           compute; that is so for each of the two alone, and for two HRA adapters.
# Seen:     rotations do not commute. Active, the first adapter turns the layer's input and the
#           second turns the result; merged, they are multiplied onto the weight in the same
#           order, which applies them to the input the other way round. Merging with the names
#           swapped gives exactly what the active pair computed. No warning.
# Matters:  "style and subject look good together, now merge them" gives other pictures than those
#           that were chosen, and a swap of two names decides which. Merge the adapters one at a
#           time in the reverse order, and compare before you delete the files.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 peft==0.21.2 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from peft import HRAConfig, OFTConfig, get_peft_model

x = torch.randn(16, 32, generator=torch.Generator().manual_seed(2))
CONFIGS = {
    "OFT": lambda: OFTConfig(oft_block_size=8, r=0, target_modules=["0"]),
    "HRA": lambda: HRAConfig(r=4, target_modules=["0"]),
}


def with_two(config):
    torch.manual_seed(0)
    model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(32, 32)), config(), "one")
    model.add_adapter("two", config())
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if ".one" in name or ".two" in name:
            weight.data += 0.3 * torch.randn_like(weight)
    return model.eval()


def largest(difference):
    return float(difference.abs().max())


seen = {}
with torch.no_grad(), warnings.catch_warnings():
    warnings.simplefilter("error")
    for kind, config in CONFIGS.items():
        for names in (["one"], ["two"], ["one", "two"]):
            model = with_two(config)
            model.base_model.set_adapter(names)
            active = model(x)
            same, swapped = with_two(config), with_two(config)
            same.base_model.merge_adapter(names)
            swapped.base_model.merge_adapter(names[::-1])
            seen[kind, len(names), "same"] = largest(same(x) - active)
            seen[kind, len(names), "swapped"] = largest(swapped(x) - active)
            print(
                f"{kind} {'+'.join(names)}: merged is {seen[kind, len(names), 'same']:.1e} off, "
                f"merged with the names swapped {seen[kind, len(names), 'swapped']:.1e}"
            )
for kind in CONFIGS:
    assert seen[kind, 1, "same"] < 1e-5
assert seen["HRA", 2, "same"] < 1e-5
assert seen["OFT", 2, "same"] > 0.1 and seen["OFT", 2, "swapped"] < 1e-5
EOF
