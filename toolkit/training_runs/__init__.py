"""Long training runs: options, checkpoints, log, validation, samples, memory.

    options.py      the command line that `python -m src.main` and `nox -s train` share
    presets.py      settings by goal: subject, style, smoke
    plan.py         the resolved settings of a run, and which of them may change on resuming
    fingerprint.py  digests of the pictures and the base
    run.py          the reporter of a run, which decides at each step what to do
    checkpoints.py  states on disk: atomic, verified, the last few
    journal.py      one line of JSON per step, and TensorBoard
    validation.py   the loss on a fixed grid
    samples.py      pictures drawn during training, beside the base's
    memory.py       the memory that a step needs, and what to try if it is too much
    stopping.py     Ctrl-C: finish the step, save it, say how to continue
    line.py         the progress line

options, presets, plan, fingerprint and stopping import no torch.
"""
