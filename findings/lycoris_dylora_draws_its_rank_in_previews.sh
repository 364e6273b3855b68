#!/usr/bin/env bash
# A DyLoRA draws its rank by lot in eval mode too, and merging it writes one draw into the model.
#
# Versions: lycoris-lora 4.1.3, torch 2.13.0
# Guess:    DyLoRA trains with a random rank at each step, and is used at full rank: eval() and
#           merge_to() are deterministic.
# Seen:     the draw does not ask for the mode. In eval mode, without gradients, each call of a
#           layer uses another number of blocks, and each merge_to(1.0) on a fresh copy of the model
#           gives one of several results. The draws come from Python's `random`, so torch.manual_seed
#           does not fix them. No warning.
# Matters:  two previews with one seed differ, and a checkpoint merged from a finished training may
#           hold a quarter of its rank in one layer and all of it in the next. random.seed makes
#           the draw the same each time, not complete. Merge from the saved file instead.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 lycoris-lora==4.1.3 safetensors==0.8.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import logging
import random
import warnings

import torch

logging.disable(logging.INFO)
from lycoris import LycorisNetwork, create_lycoris

LycorisNetwork.apply_preset({"target_module": ["Sequential"]})
x = torch.randn(64, 16, generator=torch.Generator().manual_seed(2))


def trained(algo):
    """Return a model and its adapter, the same each time."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(16, 32)).eval()
    options = {"block_size": 2} if algo == "dylora" else {}
    adapter = create_lycoris(model, 1.0, linear_dim=8, linear_alpha=8, algo=algo, **options)
    torch.manual_seed(1)
    for weight in adapter.loras[0].parameters():
        weight.data.normal_(std=0.3)
    return model, adapter.eval()


@torch.no_grad()
def results(algo):
    """Return the different outputs of eight calls and of eight merges, as rounded norms."""
    model, adapter = trained(algo)
    adapter.apply_to()
    torch.manual_seed(3)
    called = {round(float(model(x).norm()), 2) for _ in range(8)}
    merged = set()
    for _ in range(8):
        model, adapter = trained(algo)
        adapter.merge_to(1.0)
        merged.add(round(float(model(x).norm()), 2))
    return called, merged


random.seed(0)
with warnings.catch_warnings():
    warnings.simplefilter("error")
    seen = {algo: results(algo) for algo in ("lora", "dylora")}
for algo, (called, merged) in seen.items():
    print(f"{algo}: norm of the output in 8 calls {sorted(called)}, in 8 merges {sorted(merged)}")
assert [len(values) for values in seen["lora"]] == [1, 1]
assert all(3 <= len(values) <= 4 for values in seen["dylora"])
EOF
