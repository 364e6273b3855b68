#!/usr/bin/env bash
# After an image-to-image preview, add_noise of an Euler scheduler ignores its timesteps.
#
# Versions: diffusers 0.42.1, torch 2.13.0
# Guess:    add_noise(x, noise, t) depends on t. With timesteps that the schedule does not have it raises an
#           error, as it does after set_timesteps(20) alone.
# Seen:     set_begin_index, which image-to-image and inpainting pipelines call, stays set after the picture. From then
#           on add_noise gives every picture of the batch the noise of that start, for any t, valid or not;
#           and with the index set even the error is gone. The same with Heun, KDPM2, DPM-Solver++ and UniPC. No warning.
# Matters:  train, preview by image-to-image, train on with the same scheduler object: from the first preview on the
#           model is told timestep t and shown always the same noise level. Use a scheduler of its own for previews.
. "$(dirname "$0")/_environment.sh"
environment torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 numpy==2.4.6
"$PYTHON" - <<'EOF'
import warnings

import torch
from diffusers import EulerDiscreteScheduler, HeunDiscreteScheduler

timesteps = torch.tensor([51, 301, 602, 903])
picture, noise = torch.zeros(4, 1), torch.ones(4, 1)


def sigmas(scheduler):
    return [round(float(sigma), 2) for sigma in scheduler.add_noise(picture, noise, timesteps)]


for kind in (EulerDiscreteScheduler, HeunDiscreteScheduler):
    scheduler = kind()
    new = sigmas(scheduler)
    scheduler.set_timesteps(20)
    try:
        sigmas(scheduler)
    except IndexError as error:
        loud = type(error).__name__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.set_begin_index(12)
        after = sigmas(scheduler)
    print(f"{kind.__name__}: new {new}, after set_timesteps {loud}, after set_begin_index {after}")
    assert new == sorted(new) and len(set(new)) == 4
    assert loud == "IndexError"
    assert len(set(after)) == 1
EOF
