"""Turn what the steps found into a row."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.contributions.registry import is_control
from harness.protocol.figures import (
    WITHHOLDING,
    Costs,
    Counted,
    Figures,
    Flag,
    OwnPictures,
    SeedScores,
)
from harness.protocol.machine import describe_machine
from harness.protocol.row import ErrorReport, Row, Status
from harness.protocol.statistics.intervals import t_interval
from harness.protocol.verdict import compare
from harness.runs.steps.attempt import THREADS, Attempt
from harness.runs.steps.outcomes import Scored, TrainCosts
from harness.sandbox.outcome import Outcome
from harness.sandbox.resource_use import read_spent
from harness.worker.jobs import ADAPTER_FILE, Answer, Watched, seed_folder
from toolkit.core.errors import HubError

MOST_LOSSES = 4000  # of a row: a curve of more says nothing else, and a row is a small file


def common_row(attempt: Attempt, status: Status, **rest: Any) -> Row:
    """Fill in what every row says, whatever its status."""
    file = attempt.contribution.file
    return Row(
        track=attempt.track.file.name,
        contribution=attempt.contribution.name,
        authors=file.authors,
        summary=file.summary,
        origins=attempt.contribution.origins,
        settings_from=attempt.contribution.settings_from,
        content_hash=attempt.contribution.content_hash,
        reference_hash=attempt.reference.content_hash,
        protocol_hash=attempt.track.protocol_hash(),
        control=is_control(attempt.contribution),
        status=status,
        machine=describe_machine(THREADS, active_layer(attempt)),
        created_at=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        **rest,
    )


def active_layer(attempt: Attempt) -> str:
    """Return the isolation that the contribution's code really ran in."""
    training = attempt.own_training  # its jobs each have an account, also when one has failed
    for folder in (training, *sorted(training.glob("job-*"))):
        if (spent := read_spent(folder)) is not None:
            return spent.layer
    return "none of its code was run"


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


def measured_row(
    attempt: Attempt,
    own: Answer,
    reference: Answer,
    costs: TrainCosts,
    scored: Scored,
    flags: tuple[Flag, ...],
) -> Row:
    """Put the scorer's figures and the comparison into a row.

    Raises:
        HubError: The scorer left out a figure.
    """
    if tuple(outcome.seed for outcome in own.seeds) != attempt.seeds:
        raise HubError(
            "The worker answers for other seeds than it was given.",
            where=attempt.contribution.path,
            fix="Nothing but the harness may write answer.json.",
        )
    first = own.seeds[0]
    first_score = scored.own[first.seed]
    rest: dict[str, Any] = {
        "base": scored.base,
        "costs": row_costs(attempt, reference, costs),
        "determinism": first_score.determinism,
        "own_difference": first_score.own_difference,
        "not_measured": not_measured(attempt, scored),
        "flags": flags,
        "losses": thinned(first.losses),
        "trainable_parameters": first.trainable_parameters,
        "adapter_bytes": adapter_bytes(attempt.own_training, first.seed),
        "changed_modules": first.changed_modules,
        "counted": counted(first.watched),
    }
    if any(outcome.unmergeable for outcome in own.seeds):
        return unmergeable_row(attempt, own, costs, scored, rest)
    scores = seed_scores(own, costs, scored)
    reasons = [flag for flag in flags if flag.kind in WITHHOLDING]
    if reasons and not is_control(attempt.contribution):
        return common_row(attempt, "withheld", scores=scores, error=withheld(reasons), **rest)
    verdict = compare(attempt.contribution.name, scores, is_reference=attempt.is_reference)
    return common_row(attempt, "ok", scores=scores, verdict=verdict, **rest)


def withheld(reasons: Sequence[Flag]) -> ErrorReport:
    """Say why there is no verdict."""
    return ErrorReport(
        kind="Withheld",
        what="No verdict is given: " + " ".join(flag.text for flag in reasons[:5]),
        fix="docs/protocol.md, Withheld rows, says what each reason means. If there is a good one, "
        "tell the maintainers.",
    )


def counted(watched: Watched | None) -> Counted | None:
    """Return what a row says of the counts of a seed."""
    if watched is None:
        return None
    return Counted(
        steps=watched.steps,
        trained_pictures=watched.trained_pictures,
        other_pictures=watched.other_pictures,
        rates=watched.rates,
        attached=watched.attached,
        hook_seconds={hook: round(one, 3) for hook, one in watched.hook_seconds.items()},
    )


def seed_scores(own: Answer, costs: TrainCosts, scored: Scored) -> tuple[SeedScores, ...]:
    """Pair each seed of the contribution with the same seed of the reference."""
    return tuple(
        SeedScores(
            seed=outcome.seed,
            own=require(scored.own[outcome.seed].figures),
            reference=require(scored.reference[outcome.seed].figures),
            merge_error=outcome.merge_error,
            train_seconds=costs.train_seconds[outcome.seed],
            cpu_seconds=costs.cpu_seconds[outcome.seed],
        )
        for outcome in own.seeds
    )


def unmergeable_row(
    attempt: Attempt, own: Answer, costs: TrainCosts, scored: Scored, rest: dict[str, Any]
) -> Row:
    """Judge an adapter that is no change of weights by its own pictures, where there are any."""
    why = next(outcome.unmergeable for outcome in own.seeds if outcome.unmergeable)
    pictures = tuple(
        OwnPictures(
            seed=outcome.seed,
            own=judged,
            reference=require(scored.reference[outcome.seed].figures).pictures,
            train_seconds=costs.train_seconds[outcome.seed],
        )
        for outcome in own.seeds
        if (judged := scored.own[outcome.seed].own_pictures) is not None
    )
    report = ErrorReport(
        kind="DeltaError",
        what=f"The adapter is not a change of the base's weights: {why}.",
        where=attempt.contribution.path,
        fix="Nothing to fix if that is meant: only its own pictures are judged, and it is not "
        "ranked. Else each adapted layer must stay y = W x + b, with W and b free of x.",
    )
    return common_row(attempt, "unmergeable", own_pictures=pictures, error=report, **rest)


def require(figures: Figures | None) -> Figures:
    """Return figures that have to be there.

    Raises:
        HubError: The scorer left them out.
    """
    if figures is None:
        raise HubError("The scorer left out a figure.", where="harness/scoring/main.py")
    return figures


def row_costs(attempt: Attempt, reference: Answer, costs: TrainCosts) -> Costs:
    """Sum up what the parent saw."""
    seconds = statistics.fmean(costs.train_seconds.values())
    first = reference.seeds[0]
    return Costs(
        train_seconds=seconds,
        reference_seconds=costs.reference_seconds,
        cpu_seconds=statistics.fmean(costs.cpu_seconds.values()),
        reference_cpu_seconds=statistics.fmean(costs.reference_cpu_seconds.values()),
        cpu_ratio_interval=ratio_interval(costs),
        reference_memory_bytes=costs.reference_memory_bytes,
        steps_per_second=attempt.track.file.steps / seconds if seconds else 0.0,
        worker_seconds=costs.worker.wall_s,
        worker_cpu_seconds=costs.worker.cpu_s,
        peak_memory_bytes=costs.memory_bytes,
        reference_parameters=first.trainable_parameters,
        reference_bytes=adapter_bytes(attempt.reference_training, first.seed),
    )


def ratio_interval(costs: TrainCosts) -> tuple[float, float] | None:
    """Return the 95 % interval over seeds of the cost as a multiple of the reference's.

    A seed is divided by the reference's own of the same seed where that was trained in this job,
    else by the mean of those that were. One seed has no interval.
    """
    reference = costs.reference_cpu_seconds
    mean = statistics.fmean(reference.values())
    if not mean:
        return None
    return t_interval([s / (reference.get(seed) or mean) for seed, s in costs.cpu_seconds.items()])


def thinned(losses: Sequence[float]) -> tuple[float, ...]:
    """Return losses of steps as a row keeps them: at most MOST_LOSSES, else means of equal runs."""
    run = -(-len(losses) // MOST_LOSSES)
    if run <= 1:
        return tuple(losses)
    return tuple(statistics.fmean(losses[at : at + run]) for at in range(0, len(losses), run))


def adapter_bytes(training: Path, seed: int) -> int:
    """Return the size of the adapter file of one seed."""
    return (seed_folder(training, seed) / ADAPTER_FILE).stat().st_size


def not_measured(attempt: Attempt, scored: Scored) -> dict[str, str]:
    """Explain every figure that is null."""
    reasons = dict(scored.not_measured)
    if not attempt.repeat_first:
        reasons["determinism"] = "a quick verdict trains each seed once; --record trains one twice"
    if not any(prompt.background or prompt.ink for prompt in attempt.track.file.prompts):
        reasons["prompt_adherence"] = "the track asks for no colours"
    return reasons
