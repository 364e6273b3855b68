"""What a reader of a row has to know besides its figures."""

from __future__ import annotations

from harness import paths
from harness.protocol.figures import Flag
from harness.runs.steps.attempt import Attempt
from harness.runs.steps.outcomes import Outcomes, Scored, TrainCosts
from toolkit.images.alike import near_duplicates

# Pictures of its own that are training pictures, by pixels: one may be an accident.
COPIED_SHARE = 0.34

# A worker imports, probes and draws besides training: with the embedded base that takes about this
# many processor seconds. Far more, while the train hook seems short, and somebody moved the clock.
OTHER_WORK_S = 60.0
OTHER_WORK_PER_TRAINING = 2.0

# Two trainings with one seed on one machine are equal to the bit; anything else depends on
# something that no seed controls.
REPEATS = 1e-6


def flags_of(
    attempt: Attempt, own: Outcomes, costs: TrainCosts, scored: Scored
) -> tuple[Flag, ...]:
    """Collect everything that is odd about a run."""
    flags = []
    for outcome in own:
        if outcome.unmergeable:
            text = f"{outcome.unmergeable}; only its own pictures are judged."
            flags.append(Flag(kind="unmergeable", text=text[0].upper() + text[1:]))
            break
    judged = [entry.own_pictures for entry in scored.own.values() if entry.own_pictures]
    copies = max((pictures.copies for pictures in judged), default=0.0)
    if copies > COPIED_SHARE:
        text = f"{copies:.0%} of the pictures that its own generate drew are training pictures."
        flags.append(Flag(kind="copies training pictures", text=text))
    trained = sum(costs.train_seconds.values())
    other = costs.worker.cpu_s - trained
    if other > OTHER_WORK_S + OTHER_WORK_PER_TRAINING * trained:
        text = (
            f"The worker used {costs.worker.cpu_s:.0f} s of processor time and says that "
            f"only {trained:.0f} s of them were training."
        )
        flags.append(Flag(kind="time does not add up", text=text))
    if costs.reference_repeats is False:
        text = "Trained again beside this run, the reference's losses were not those on file."
        flags.append(Flag(kind="the reference did not repeat itself", text=text))
    determinism = None if attempt.again is None else scored.own[attempt.again].determinism
    if determinism is not None and determinism > REPEATS:
        text = f"Trained twice with one seed, its weights differ by {determinism:.1e}."
        flags.append(Flag(kind="not deterministic", text=text))
    return (*flags, *duplicate_flags(attempt))


def duplicate_flags(attempt: Attempt) -> list[Flag]:
    """Report held-out pictures that lie in the contribution's own folder."""
    root = paths.ROOT
    folders = [root / one.path for one in attempt.contribution.folders]
    held_out = attempt.track.heldout_dir
    found = [pair for folder in folders for pair in near_duplicates(folder, held_out)]
    return [
        Flag(
            kind="near-duplicate of a held-out picture",
            text=f"{theirs.relative_to(root).as_posix()} is {ours.name} of the held-out pictures.",
        )
        for theirs, ours in found[:20]
    ]
