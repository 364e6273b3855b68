#!/usr/bin/env bash
# Making a second Accelerator() switches gradient accumulation off in the first.
#
# Versions: accelerate 1.15.0, torch 2.13.0
# Guess:    an Accelerator keeps the settings it was made with; a conflict of settings is an error, as it is for mixed_precision.
# Seen:     gradient_accumulation_steps lives in a state shared by the whole process. A plain Accelerator() made
#           anywhere later sets it to 1 for everybody: from then on the first one steps after every batch. No warning.
# Matters:  a preview function, a metric or a captioner that makes its own Accelerator turns an effective batch of 4 into 1 in the
#           middle of training, and the schedule runs four times as fast. The loss curve only looks a bit noisier.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 accelerate==1.15.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from accelerate import Accelerator

accelerator = Accelerator(cpu=True, gradient_accumulation_steps=4)
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(16, 1)))
model, optimizer, data = accelerator.prepare(model, optimizer, data)
stepped = []
with warnings.catch_warnings():
    warnings.simplefilter("error")
    for number, (x,) in enumerate(data):
        if number == 8:
            Accelerator(cpu=True)
        with accelerator.accumulate(model):
            accelerator.backward(model(x).mean())
            before = model.weight.item()
            optimizer.step()
            stepped.append(int(model.weight.item() != before))
            optimizer.zero_grad()
print("steps of the optimiser, batch by batch:", stepped)
print("gradient_accumulation_steps now:", accelerator.gradient_accumulation_steps)
assert stepped == [0, 0, 0, 1, 0, 0, 0, 1] + [1] * 8, stepped
assert accelerator.gradient_accumulation_steps == 1
EOF
