"""Train the contribution and, beside it, the reference: it is the yardstick of time as well.

The reference's weights are trained once per key and then shared. Its time is not: on a machine that
does other things too, seconds of yesterday say nothing about seconds of today. So when the
reference is known already, its first seed is trained again beside the contribution, for the clock
(it costs the other core, and no wall time), and for a check: it has to repeat itself to the bit.
Where runs fill all cores (``contribution --all``) it is trained just before instead: two processes
per run would share a core, and the clock would compare one that shared with one that did not.
"""

from __future__ import annotations

import shutil
import statistics
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from harness.contributions.record import Contribution
from harness.runs.steps.attempt import THREADS, Attempt
from harness.runs.steps.outcomes import TrainCosts, Trained
from harness.sandbox.child import Child, run_children
from harness.sandbox.files import ANSWER_FILE
from harness.sandbox.outcome import Outcome
from harness.sandbox.resource_use import read_spent
from harness.worker.jobs import DELTA_FILE, Answer, TrainJob, seed_folder
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.core.locks import held

COSTS_FILE = "costs.json"


def train(attempt: Attempt) -> Trained:
    """Return how the contribution's and the reference's training ended."""
    if attempt.is_reference:
        return train_reference(attempt)
    attempt.reference_folder.mkdir(parents=True, exist_ok=True)

    def tell(owner: str) -> None:
        attempt.progress.update(attempt.reference.name, 0.0, f"waiting for {owner}")

    # Somebody else's run may be training the same reference right now: wait for it, then share.
    with held(attempt.reference_folder, timeout_s=-1, when_busy=tell):
        known = read_finished(attempt.reference_training, attempt.seeds)
        if known is None:
            return train_both(attempt)
    return train_beside(attempt, known)


def train_reference(attempt: Attempt) -> Trained:
    """Train the reference as the contribution that it is here; it is its own pace."""
    known = read_known(attempt)
    if known is not None:
        return known
    child = train_child(attempt, attempt.contribution, attempt.own_training, attempt.seeds)
    run_children([child], attempt.progress)
    costs = keep_costs(attempt, child, child, repeats=None)
    return Trained(child.ended(), child.ended(), costs)


def train_both(attempt: Attempt) -> Trained:
    """Train contribution and reference side by side; the first failure ends both."""
    own = train_child(attempt, attempt.contribution, attempt.own_training, attempt.seeds)
    reference = train_child(attempt, attempt.reference, attempt.reference_training, attempt.seeds)
    run_children([own, reference], attempt.progress)
    for outcome in (own.outcome, reference.outcome):
        if outcome is not None and outcome.error is not None:
            return Trained(outcome, outcome, None)
    return Trained(own.ended(), reference.ended(), keep_costs(attempt, own, reference, None))


def train_beside(attempt: Attempt, reference: Answer) -> Trained:
    """Train the contribution, and the known reference's first seed beside it for the clock."""
    known = read_known(attempt)
    if known is not None:
        attempt.progress.finish(attempt.reference.name, ok=True)
        return known
    pace = train_child(attempt, attempt.reference, attempt.pace, attempt.seeds[:1])
    if attempt.one_at_a_time:
        run_children([pace], attempt.progress)
    own = train_child(attempt, attempt.contribution, attempt.own_training, attempt.seeds)
    run_children([own, pace], attempt.progress)
    outcome = own.outcome
    if outcome is None or outcome.error is not None or pace.outcome is None:
        failed = outcome or pace.ended()
        return Trained(failed, failed, None)
    again = pace.outcome.answer
    repeats = again is not None and again.seeds[0].losses == reference.seeds[0].losses
    costs = keep_costs(attempt, own, pace, repeats=repeats)
    shutil.rmtree(attempt.pace)
    return Trained(outcome, Outcome(reference, None, "ok"), costs)


def read_known(attempt: Attempt) -> Trained | None:
    """Return what the same key has trained before, or None when there is none to be used."""
    own = read_finished(attempt.own_training, attempt.seeds)
    reference = own if attempt.is_reference else None
    if not attempt.is_reference:
        reference = read_finished(attempt.reference_training, attempt.seeds)
    path = attempt.folder / COSTS_FILE
    if attempt.fresh or own is None or reference is None or not path.is_file():
        return None
    try:
        costs = TrainCosts.model_validate_json(path.read_bytes())
    except ValidationError:
        return None  # of another version of the hub
    return Trained(Outcome(own, None, "ok"), Outcome(reference, None, "ok"), costs)


def keep_costs(
    attempt: Attempt, own: Child[Answer], pace: Child[Answer], repeats: bool | None
) -> TrainCosts | None:
    """Write down what a training took; None when it did not end well.

    Raises:
        HubError: A worker that ended well never said when it was training.
    """
    if own.outcome is None or own.outcome.error is not None:
        return None
    seconds = own.meter.train_seconds(attempt.seeds)
    reference = pace.meter.train_seconds(attempt.seeds)
    worker = read_spent(own.out)
    if set(seconds) != set(attempt.seeds) or not reference or worker is None:
        raise HubError(
            "The worker did not say when it was training, so nothing can be said about its time.",
            where=attempt.contribution.path,
            fix="Nothing but the harness may write events.jsonl.",
        )
    costs = TrainCosts(
        train_seconds=seconds,
        worker=worker,
        reference_seconds=statistics.fmean(reference.values()),
        reference_repeats=repeats,
    )
    atomic.write_text(attempt.folder / COSTS_FILE, costs.model_dump_json(indent=1))
    return costs


def train_child(
    attempt: Attempt, contribution: Contribution, out: Path, seeds: tuple[int, ...]
) -> Child[Answer]:
    """Start one worker on a copy of the track's training pictures, with the track's budget.

    A copy, so that the path which the contribution sees does not lead to the held-out pictures.
    """
    file = attempt.track.file
    pictures = out.with_name(f"{out.name}-pictures")
    shutil.rmtree(pictures, ignore_errors=True)
    for folder in ("Images", "ImageCaptions"):
        shutil.copytree(attempt.track.train_dir / folder, pictures / folder)
    job = TrainJob(
        contribution=contribution,
        reference=attempt.reference,
        base_model=str(attempt.track.base_model),
        device=attempt.device,
        threads=THREADS,
        out=out,
        data_dir=pictures,
        resolution=file.resolution,
        steps=file.steps,
        batch_size=file.batch_size,
        seeds=seeds,
        prompts=file.texts,
        repeat_first=attempt.repeat_first and out != attempt.pace,
    )
    return Child(
        contribution.name,
        "harness.worker.main",
        job,
        out,
        file.timeout_s * (len(seeds) + job.repeat_first),
        partial(read_answer, seeds),
    )


def read_answer(seeds: tuple[int, ...], data: bytes) -> Answer:
    """Read a training's answer.

    Raises:
        ValueError: It is none, or is about other seeds than those asked for: every seed in it is
            scored, so a long list would keep the scorer busy for days.
    """
    answer = Answer.model_validate_json(data)
    if answer.error is None and tuple(outcome.seed for outcome in answer.seeds) != seeds:
        raise ValueError("it is not about the seeds that were asked for")
    return answer


def read_finished(folder: Path, seeds: tuple[int, ...]) -> Answer | None:
    """Return the answer of a finished training, or None when there is none that can be used."""
    path = folder / ANSWER_FILE
    if not path.is_file():
        return None
    try:
        answer = Answer.model_validate_json(path.read_bytes())
    except ValueError:
        return None  # Of another version of the hub: train again.
    same_seeds = tuple(outcome.seed for outcome in answer.seeds) == seeds
    whole = all(
        outcome.unmergeable or (seed_folder(folder, outcome.seed) / DELTA_FILE).is_file()
        for outcome in answer.seeds
    )
    return answer if answer.error is None and same_seeds and whole else None
