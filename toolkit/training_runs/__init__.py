"""Long training runs: options, checkpoints, log, validation, samples, memory.

    command_line.py the command line of `python -m src.main`
    options.py      its options, which `nox -s train` shares
    presets.py      settings by goal: subject, style, smoke
    fields.py       which options are fields of which settings
    recipe.py       plan.toml: the settings as options
    own_folder.py   a run's folder: no file of a person is replaced or removed
    plan.py         the resolved settings of a run, and which of them may change on resuming
    fingerprint.py  digests of the pictures and the base
    loop.py         device, precision, optimiser, going on and reports: all that the loop calls
    devices.py      where a step is computed, in which precision, by how many processes and parts
    optimizers.py   four optimisers, the learning rate's schedule, the state to go on from
    draws.py        which pictures a step sees, and its own random numbers
    objective.py    what the U-Net is asked for, and min-SNR weights
    targets.py      the layers that target modules mean
    run.py          the reporter of a run, which decides at each step what to do
    checkpoints.py  states on disk: atomic, verified, the last few
    journal.py      one line of JSON per step, and TensorBoard
    validation.py   the loss on a fixed grid
    samples.py      pictures drawn during training, beside the base's
    memory.py       the memory that a step needs, and what to try if it is too much
    stopping.py     Ctrl-C: finish the step, save it, say how to continue
    line.py         the progress line

command_line, fields, recipe, own_folder, options, presets, plan, fingerprint, targets and stopping
import no torch.
"""
