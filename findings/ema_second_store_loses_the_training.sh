#!/usr/bin/env bash
# Two store/copy_to pairs around one restore throw the trained weights away.
#
# Versions: diffusers 0.42.1, torch 2.13.0
# Guess:    EMAModel.store and restore nest, or the second store is refused; restore() brings the
#           training's weights back.
# Seen:     there is one place to store into. A second store(), made while the averaged weights are
#           in the model, keeps those; restore() then gives the average, and training goes on from
#           there. A second restore() is refused, but that comes too late. No warning at the second
#           store.
# Matters:  "save a checkpoint with EMA weights, which also draws a preview with EMA weights" is
#           such a pair within a pair. The optimiser's moments belong to weights that no longer
#           exist; the loss only makes a small jump.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers.training_utils import EMAModel

weight = torch.nn.Parameter(torch.zeros(1))
ema = EMAModel([weight], decay=0.9)
for _ in range(5):
    weight.data += 1
    ema.step([weight])
trained, averaged = float(weight.detach()), float(ema.shadow_params[0])


def preview():
    ema.store([weight])
    ema.copy_to([weight])
    shown = float(weight.detach())
    ema.restore([weight])
    return shown


assert preview() == averaged and float(weight.detach()) == trained
with warnings.catch_warnings():
    warnings.simplefilter("error")
    ema.store([weight])
    ema.copy_to([weight])
    assert preview() == averaged
    try:
        ema.restore([weight])
        second = "accepted"
    except RuntimeError as error:
        second = "refused"
now = float(weight.detach())
print(f"trained {trained}, averaged {averaged:.4f}, in the model after the outer restore ({second}): {now:.4f}")
assert second == "refused" and now == averaged != trained
EOF
