"""Train the contribution and, beside it, the reference unless that has been done before."""

from __future__ import annotations

from pathlib import Path

from harness.locks import held
from harness.records import Contribution
from harness.steps.attempt import THREADS, Attempt
from harness.worker.jobs import ANSWER_FILE, DELTA_FILE, Answer, TrainJob, seed_folder
from harness.worker.process import Child, Outcome, run_children

Trained = tuple[Outcome[Answer], Outcome[Answer]]


def train(attempt: Attempt) -> Trained:
    """Return how the contribution's and the reference's training ended."""
    if attempt.is_reference:
        outcome = train_alone(attempt)
        return outcome, outcome
    attempt.reference_folder.mkdir(parents=True, exist_ok=True)
    # Somebody else's run may be training the same reference right now: wait for it, then share.
    attempt.progress.update(attempt.reference.name, 0.0, "waiting for its turn")
    with held(attempt.reference_folder, timeout_s=-1):
        known = read_finished(attempt.reference_training, attempt.seeds)
        if known is None:
            return train_both(attempt)
    attempt.progress.finish(attempt.reference.name, ok=True)
    return train_alone(attempt), Outcome(known, None, "ok")


def train_alone(attempt: Attempt) -> Outcome[Answer]:
    """Train the contribution only; what the same key has trained already is taken as it is."""
    known = None if attempt.fresh else read_finished(attempt.own_training, attempt.seeds)
    if known is not None:
        return Outcome(known, None, "ok")
    child = train_child(attempt, attempt.contribution, attempt.own_training)
    run_children([child], attempt.progress)
    return child.ended()


def train_both(attempt: Attempt) -> Trained:
    """Train contribution and reference side by side; the first failure ends both."""
    own = train_child(attempt, attempt.contribution, attempt.own_training)
    reference = train_child(attempt, attempt.reference, attempt.reference_training)
    run_children([own, reference], attempt.progress)
    for outcome in (own.outcome, reference.outcome):
        if outcome is not None and outcome.error is not None:
            return outcome, outcome
    return own.ended(), reference.ended()


def train_child(attempt: Attempt, contribution: Contribution, out: Path) -> Child[Answer]:
    """Start one worker on the track's pictures with the track's budget."""
    file = attempt.track.file
    job = TrainJob(
        contribution=contribution,
        reference=attempt.reference,
        base_model=str(attempt.track.base_model),
        device=attempt.device,
        threads=THREADS,
        out=out,
        data_dir=attempt.track.train_dir,
        resolution=file.resolution,
        steps=file.steps,
        batch_size=file.batch_size,
        seeds=attempt.seeds,
        prompts=file.prompts,
    )
    return Child(
        contribution.name,
        "harness.worker.main",
        job,
        out,
        file.timeout_s,
        Answer.model_validate_json,
    )


def read_finished(folder: Path, seeds: tuple[int, ...]) -> Answer | None:
    """Return the answer of a finished training, or None when there is none that can be used."""
    path = folder / ANSWER_FILE
    if not path.is_file():
        return None
    try:
        answer = Answer.model_validate_json(path.read_bytes())
    except ValueError:
        return None  # Of another version of the hub: train again.
    deltas = [seed_folder(folder, seed) / DELTA_FILE for seed in seeds]
    same_seeds = tuple(outcome.seed for outcome in answer.seeds) == seeds
    whole = answer.error is None and same_seeds and all(delta.is_file() for delta in deltas)
    return answer if whole else None
