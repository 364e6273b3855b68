#!/usr/bin/env bash
# GradientAccumulationPlugin(adjust_scheduler=True), the default, is never in force.
#
# Versions: accelerate 1.15.0, torch 2.13.0
# Guess:    adjust_scheduler=True does what its description says: the rate schedule accounts for the
#           accumulation, so that its length stays the number of batches.
# Seen:     the plugin passes on only settings that differ from its defaults, and the reader of this
#           one takes "absent" as False. GradientState().adjust_scheduler is False for True, for
#           False and for nothing. A cosine of 16 batches with accumulation 4 ends after its first
#           quarter, at 0.85 of the full rate, in all three cases. No warning.
# Matters:  a schedule whose length was computed from batches never decays: the run ends at nearly
#           the full rate. Lengths must be given in optimiser steps, whatever the option says.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 accelerate==1.15.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import math
import warnings

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import GradientAccumulationPlugin

last = {}
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for setting in ({"adjust_scheduler": True}, {"adjust_scheduler": False}, {}):
        AcceleratorState._reset_state(True)
        GradientState._reset_state()
        accelerator = Accelerator(
            cpu=True, gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=4, **setting)
        )
        model = torch.nn.Linear(1, 1)
        optimizer = torch.optim.SGD(model.parameters(), 1.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / 16))
        )
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(16, 1)))
        model, optimizer, schedule, data = accelerator.prepare(model, optimizer, schedule, data)
        for (x,) in data:
            with accelerator.accumulate(model):
                accelerator.backward(model(x).mean())
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
        in_force = GradientState().adjust_scheduler
        last[str(setting)] = (in_force, round(schedule.get_last_lr()[0], 3))
        print(setting, "- in force:", in_force, "- rate after 16 batches of 16:", last[str(setting)][1])
assert set(last.values()) == {(False, 0.854)}, last
EOF
