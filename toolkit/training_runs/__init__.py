"""Everything about a long training run that would clutter ``src/train.py``.

    command_line.py the command line of `python -m src.main`
    options.py      its options, which `nox -s train` shares
    presets.py      settings by goal: subject, style, smoke
    plan.py         what a run is: every setting resolved, and what may change when it is resumed
    fingerprint.py  the pictures and the base, known by their contents
    loop.py         device, precision, optimiser, going on and reports: all that the loop calls
    devices.py      where a step is computed, in which precision, by how many processes and parts
    optimizers.py   four optimisers, the learning rate's schedule, the state to go on from
    draws.py        which pictures a step sees, and its own random numbers
    objective.py    what the U-Net is asked for, and min-SNR weights
    targets.py      the layers that target modules mean
    run.py          the reporter of a run: decides at each step what is due
    checkpoints.py  states on disk: atomic, verified, the last few
    journal.py      one line of JSON per step, and TensorBoard
    validation.py   the loss on a grid that never changes
    samples.py      pictures drawn on the way, beside the base's
    memory.py       what a step will need, and what to try when that is too much
    stopping.py     Ctrl-C: finish the step, keep it, say how to go on
    line.py         the progress line

command_line, options, presets, plan, fingerprint, targets and stopping wake no torch.
"""
