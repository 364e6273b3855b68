#!/usr/bin/env bash
# With total_limit, a resumed run deletes its own checkpoints and keeps the one from before.
#
# Versions: accelerate 1.15.0, torch 2.13.0
# Guess:    automatic_checkpoint_naming with total_limit=2 keeps the two newest checkpoints, and
#           load_state() without a name takes the newest, across restarts too.
# Seen:     load_state() does not set the counter that names the checkpoints. The resumed run
#           starts at checkpoint_0 again, and "oldest" means the lowest number: each save deletes
#           the one before it, made minutes ago, while the highest number of the first run stays
#           for ever. The next load_state() takes that one. Training after the first restart is
#           lost. The only message is the usual "Deleting 1 checkpoints to make room".
# Matters:  machines that are taken away and given back restart often; every restart goes back to
#           the same old state, and the loss starts at the same height each time. Set
#           project_configuration.iteration yourself after load_state().
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 accelerate==1.15.0 safetensors==0.8.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import logging
import os
import warnings

import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from safetensors.torch import load_file

logging.disable(logging.WARNING)
FOLDER = os.environ["WORK"]


def run(steps, resume):
    """Train for some steps, saving after each; return start, end and what is kept."""
    accelerator = Accelerator(
        cpu=True,
        project_config=ProjectConfiguration(
            project_dir=FOLDER, automatic_checkpoint_naming=True, total_limit=2
        ),
    )
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    model = accelerator.prepare(model)
    if resume:
        accelerator.load_state()
    start = float(model.weight.detach())
    for _ in range(steps):
        model.weight.data += 1
        accelerator.save_state()
    kept = sorted(os.listdir(os.path.join(FOLDER, "checkpoints")))
    return start, float(model.weight.detach()), kept


with warnings.catch_warnings():
    warnings.simplefilter("error")
    runs = [run(4, False), run(3, True), run(0, True)]
for start, end, left in runs:
    print(f"trained from step {start:.0f} to {end:.0f}; kept: {', '.join(left)}")
assert runs[0] == (0.0, 4.0, ["checkpoint_2", "checkpoint_3"])
assert runs[1] == (4.0, 7.0, ["checkpoint_2", "checkpoint_3"])
assert runs[2][0] == 4.0
inside = {
    name: float(load_file(os.path.join(FOLDER, "checkpoints", name, "model.safetensors"))["weight"])
    for name in runs[1][2]
}
print(f"steps in them: {inside}")
assert inside == {"checkpoint_2": 7.0, "checkpoint_3": 4.0}
EOF
