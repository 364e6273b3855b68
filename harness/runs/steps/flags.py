"""What a reader of a row has to know besides its figures."""

from __future__ import annotations

import statistics

from harness import paths
from harness.gate.records import GateReport
from harness.protocol.figures import Flag
from harness.runs.steps.attempt import Attempt
from harness.runs.steps.budget import budget_flags
from harness.runs.steps.outcomes import Scored, TrainCosts
from harness.worker.jobs import Answer
from toolkit.images.alike import near_duplicates

# Pictures of its own that are training pictures, by pixels: one may be an accident.
COPIED_SHARE = 0.34

# A training that brought its gain along. Of 159 recorded rows the hub's own with least difference
# between seeds has 0.3 times the reference's, and the smallest gap is 0.6 times the reference's.
LEAST_GAIN = 0.02
LEAST_SEEDS = 3
SAME_GAINS, NO_GAP = 0.05, 0.0

# Seconds that processes beside the worker may use: the guard's, and what was not seen at its end.
BESIDE_S, BESIDE_SHARE = 2.0, 0.1

# Two trainings with one seed on one machine are equal to the bit; anything else depends on
# something that no seed controls.
REPEATS = 1e-6


def flags_of(
    attempt: Attempt,
    own: Answer,
    reference: Answer,
    costs: TrainCosts,
    scored: Scored,
    report: GateReport | None,
) -> tuple[Flag, ...]:
    """Collect everything that is odd about a run."""
    flags = []
    for outcome in own.seeds:
        if outcome.unmergeable:
            text = f"{outcome.unmergeable}; only its own pictures are judged."
            flags.append(Flag(kind="unmergeable", text=text[0].upper() + text[1:]))
            break
    judged = [entry.own_pictures for entry in scored.own.values() if entry.own_pictures]
    copies = max((pictures.copies for pictures in judged), default=0.0)
    if copies > COPIED_SHARE:
        text = f"{copies:.0%} of the pictures that its own generate drew are training pictures."
        flags.append(Flag(kind="copies training pictures", text=text))
    file = attempt.track.file
    asked = (file.steps, file.batch_size, attempt.contribution.file.settings.train.learning_rate)
    if not attempt.is_reference:
        flags += budget_flags(own.seeds, reference.seeds, costs, asked, report)
    flags += beside_flags(costs)
    flags += brought_along_flags(scored)
    if costs.reference_repeats is False:
        text = "Trained again beside this run, the reference's losses were not those on file."
        flags.append(Flag(kind="the reference did not repeat itself", text=text))
    determinism = scored.own[own.seeds[0].seed].determinism
    if determinism is not None and determinism > REPEATS:
        text = f"Trained twice with one seed, its weights differ by {determinism:.1e}."
        flags.append(Flag(kind="not deterministic", text=text))
    return (*flags, *duplicate_flags(attempt))


def beside_flags(costs: TrainCosts) -> list[Flag]:
    """Report work in processes beside the worker: no counter of its training sees into them."""
    beside = max(costs.beside_seconds.values(), default=0.0)
    whole = max(costs.cpu_seconds.values(), default=0.0)
    if beside <= BESIDE_S + BESIDE_SHARE * whole:
        return []
    text = (
        f"Processes that it started used {beside:.0f} s of processor time in one training; what "
        "they did was not counted."
    )
    return [Flag(kind="processes of its own", text=text)]


def brought_along_flags(scored: Scored) -> list[Flag]:
    """Report gains that look as if they were there before the training."""
    own = [entry.figures for entry in scored.own.values() if entry.figures is not None]
    other = [entry.figures for entry in scored.reference.values() if entry.figures is not None]
    if len(own) < LEAST_SEEDS or len(other) < LEAST_SEEDS:
        return []
    gains, theirs = [one.gain for one in own], [one.gain for one in other]
    gap, spread = statistics.fmean(one.overfit_gap for one in own), statistics.stdev(gains)
    if statistics.fmean(gains) < LEAST_GAIN:
        return []
    found = []
    if gap < NO_GAP:
        found.append(
            f"It gained {-100 * gap:.1f} points more on held-out pictures than on those it trained "
            "on."
        )
    if spread < SAME_GAINS * statistics.stdev(theirs):
        found.append(
            f"Its gains differ by {100 * spread:.2g} points from seed to seed, the reference's by "
            f"{100 * statistics.stdev(theirs):.2g}: what it learnt hardly depends on its training."
        )
    return [Flag(kind="brought along", text=" ".join(found))] if found else []


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
