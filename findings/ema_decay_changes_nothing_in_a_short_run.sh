#!/usr/bin/env bash
# EMAModel's decay has no effect in a LoRA-length run, and use_ema_warmup=False warms up all the
# same.
#
# Versions: diffusers 0.42.1, torch 2.13.0
# Guess:    with use_ema_warmup=False (the default) the average uses the given decay from the first
#           step; decay 0.999 and 0.9999 give different averages after 1,000 steps; min_decay is a
#           floor.
# Seen:     without warm-up there is another, fixed warm-up: the decay in force is at most (1 + n) /
#           (10 + n). After 1,000 steps that is 0.991, so every decay from there up gives bit for
#           bit the same weights; 0.9999 is reached after 90,000 steps. min_decay does not hold in
#           the first step, where the decay is 0: the starting weights are dropped.
# Matters:  LoRA runs have a few hundred to a few thousand steps. A sweep over ema_decay there draws
#           a flat line, and "decay 0.9999" in a report means an average over about the last tenth
#           of the run.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers.training_utils import EMAModel


def average(steps, **settings):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.zeros(100))
    ema = EMAModel([weight], **settings)
    used = []
    for _ in range(steps):
        weight.data += torch.randn(100)
        ema.step([weight])
        used.append(ema.cur_decay_value)
    return ema.shadow_params[0], used


with warnings.catch_warnings():
    warnings.simplefilter("error")
    runs = {decay: average(1000, decay=decay, use_ema_warmup=False) for decay in (0.992, 0.999, 0.9999)}
    first = average(2, decay=0.999, min_decay=0.999)[1]
for decay, (weights, used) in runs.items():
    print(f"decay={decay}: in force at steps 2, 100, 1000:", *(round(used[n - 1], 4) for n in (2, 100, 1000)))
assert torch.equal(runs[0.992][0], runs[0.999][0]) and torch.equal(runs[0.999][0], runs[0.9999][0])
assert round(runs[0.9999][1][-1], 3) == 0.991
print("min_decay=0.999: in force at steps 1 and 2:", first)
assert first == [0.0, 0.999]
EOF
