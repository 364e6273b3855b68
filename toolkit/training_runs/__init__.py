"""Everything about a long training run that would clutter ``src/train.py``.

    options.py      the command line that `python -m src.main` and `nox -s train` share
    presets.py      settings by goal: subject, style, smoke
    plan.py         what a run is: every setting resolved, and what may change when it is resumed
    fingerprint.py  the pictures and the base, known by their contents
    run.py          the reporter of a run: decides at each step what is due
    checkpoints.py  states on disk: atomic, verified, the last few
    journal.py      one line of JSON per step, and TensorBoard
    validation.py   the loss on a grid that never changes
    samples.py      pictures drawn on the way, beside the base's
    memory.py       what a step will need, and what to try when that is too much
    stopping.py     Ctrl-C: finish the step, keep it, say how to go on
    line.py         the progress line

options, presets, plan, fingerprint and stopping import no torch.
"""
