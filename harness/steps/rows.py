"""Turn what the steps found into a row."""

from __future__ import annotations

import datetime
from typing import Any

from harness.comparison import compare
from harness.errors import HubError
from harness.machine import describe_machine
from harness.records import ErrorReport, Row, SeedScores, Status
from harness.registry import REFERENCE_NAME
from harness.scoring.jobs import ScoreAnswer
from harness.steps.attempt import THREADS, Attempt
from harness.worker.jobs import ADAPTER_FILE, Answer, seed_folder
from harness.worker.process import Outcome
from harness.worker.spent import read_spent


def common_row(attempt: Attempt, status: Status, **rest: Any) -> Row:
    """Fill in what every row says, whatever its status."""
    file = attempt.contribution.file
    return Row(
        track=attempt.track.file.name,
        contribution=attempt.contribution.name,
        authors=file.authors,
        summary=file.summary,
        own_hooks=file.hooks,
        content_hash=attempt.contribution.content_hash,
        reference_hash=attempt.reference.content_hash,
        protocol_hash=attempt.track.protocol_hash(),
        status=status,
        machine=describe_machine(THREADS, active_layer(attempt)),
        created_at=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        **rest,
    )


def active_layer(attempt: Attempt) -> str:
    """Return the isolation that the contribution's code really ran in."""
    spent = read_spent(attempt.own_training)
    return spent.layer if spent else "none of its code was run"


def failed_row(attempt: Attempt, outcome: Outcome[Any]) -> Row:
    """Say how a worker ended and why."""
    status: Status = "failed" if outcome.status == "ok" else outcome.status
    return common_row(attempt, status, error=outcome.error)


def row_of_error(attempt: Attempt, error: HubError, log_tail: tuple[str, ...] = ()) -> Row:
    """Say which fault stopped the run."""
    report = ErrorReport(
        kind=type(error).__name__,
        what=error.what,
        where=error.where,
        fix=error.fix,
        log_tail=log_tail,
    )
    return common_row(attempt, "failed", error=report)


def ok_row(attempt: Attempt, own: Answer, scored: ScoreAnswer) -> Row:
    """Put the scorer's figures and the comparison into a row.

    Raises:
        HubError: The scorer left out a figure.
    """
    scores = seed_scores(attempt, own, scored)
    first = own.seeds[0]
    adapter = seed_folder(attempt.own_training, first.seed) / ADAPTER_FILE
    return common_row(
        attempt,
        "ok",
        base=scored.base,
        scores=scores,
        verdict=compare(attempt.contribution.name, scores, is_reference=attempt.is_reference),
        losses=first.losses,
        trainable_parameters=first.trainable_parameters,
        adapter_bytes=adapter.stat().st_size,
        changed_modules=first.changed_modules,
    )


def seed_scores(attempt: Attempt, own: Answer, scored: ScoreAnswer) -> tuple[SeedScores, ...]:
    """Pair each seed of the contribution with the same seed of the reference."""
    losses = {(entry.label, entry.seed): entry.loss for entry in scored.entries}
    if tuple(outcome.seed for outcome in own.seeds) != attempt.seeds:
        raise HubError(
            "The worker answers for other seeds than it was given.",
            where=attempt.contribution.path,
            fix="Nothing but the harness may write answer.json.",
        )
    scores = []
    for outcome in own.seeds:
        heldout = losses.get((attempt.contribution.name, outcome.seed))
        reference = losses.get((REFERENCE_NAME, outcome.seed))
        if scored.base is None or heldout is None or reference is None:
            raise HubError("The scorer left out a figure.", where="harness/scoring/main.py")
        base = scored.base.mean
        scores.append(
            SeedScores(
                seed=outcome.seed,
                heldout=heldout,
                reference=reference,
                gain=(base - heldout.mean) / base,
                reference_gain=(base - reference.mean) / base,
                merge_error=outcome.merge_error,
                train_seconds=outcome.train_seconds,
            )
        )
    return tuple(scores)
