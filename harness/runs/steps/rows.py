"""Turn what the steps found into a row."""

from __future__ import annotations

import datetime
import statistics
from pathlib import Path
from typing import Any

from harness.contributions.registry import is_control
from harness.protocol.figures import Costs, Figures, Flag, OwnPictures, SeedScores
from harness.protocol.machine import describe_machine
from harness.protocol.row import ErrorReport, Row, Status
from harness.protocol.verdict import compare
from harness.runs.steps.attempt import THREADS, Attempt
from harness.runs.steps.outcomes import Outcomes, Scored, TrainCosts
from harness.sandbox.outcome import Outcome
from harness.sandbox.resource_use import read_spent
from harness.worker.jobs import ADAPTER_FILE, SeedOutcome
from toolkit.core.errors import HubError


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
    spent = [read_spent(attempt.training(seed)) for seed in attempt.seeds]
    return next((one.layer for one in spent if one), "none of its code was run")


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
    own: Outcomes,
    reference: SeedOutcome,
    costs: TrainCosts,
    scored: Scored,
    flags: tuple[Flag, ...],
) -> Row:
    """Put the scorer's figures and the comparison into a row.

    Raises:
        HubError: The scorer left out a figure.
    """
    first, again = own[0], attempt.again
    rest: dict[str, Any] = {
        "base": scored.base,
        "costs": row_costs(attempt, reference, costs),
        "determinism": None if again is None else scored.own[again].determinism,
        "own_difference": scored.own[first.seed].own_difference,
        "not_measured": not_measured(attempt, scored),
        "flags": flags,
        "losses": first.losses,
        "trainable_parameters": first.trainable_parameters,
        "adapter_bytes": adapter_bytes(attempt.training(first.seed)),
        "changed_modules": first.changed_modules,
    }
    if any(outcome.unmergeable for outcome in own):
        return unmergeable_row(attempt, own, costs, scored, rest)
    scores = seed_scores(own, costs, scored)
    verdict = compare(attempt.contribution.name, scores, is_reference=attempt.is_reference)
    return common_row(attempt, "ok", scores=scores, verdict=verdict, **rest)


def seed_scores(own: Outcomes, costs: TrainCosts, scored: Scored) -> tuple[SeedScores, ...]:
    """Pair each seed of the contribution with the same seed of the reference."""
    return tuple(
        SeedScores(
            seed=outcome.seed,
            own=require(scored.own[outcome.seed].figures),
            reference=require(scored.reference[outcome.seed].figures),
            merge_error=outcome.merge_error,
            train_seconds=costs.train_seconds[outcome.seed],
        )
        for outcome in own
    )


def unmergeable_row(
    attempt: Attempt, own: Outcomes, costs: TrainCosts, scored: Scored, rest: dict[str, Any]
) -> Row:
    """Judge an adapter that is no change of weights by its own pictures, where there are any."""
    why = next(outcome.unmergeable for outcome in own if outcome.unmergeable)
    pictures = tuple(
        OwnPictures(
            seed=outcome.seed,
            own=judged,
            reference=require(scored.reference[outcome.seed].figures).pictures,
            train_seconds=costs.train_seconds[outcome.seed],
        )
        for outcome in own
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


def row_costs(attempt: Attempt, reference: SeedOutcome, costs: TrainCosts) -> Costs:
    """Sum up what the parent saw."""
    seconds = statistics.fmean(costs.train_seconds.values())
    return Costs(
        train_seconds=seconds,
        reference_seconds=costs.reference_seconds,
        steps_per_second=attempt.track.file.steps / seconds if seconds else 0.0,
        worker_seconds=costs.worker.wall_s,
        worker_cpu_seconds=costs.worker.cpu_s,
        peak_memory_bytes=costs.worker.peak_memory_bytes,
        reference_parameters=reference.trainable_parameters,
        reference_bytes=adapter_bytes(attempt.training(reference.seed, of_reference=True)),
    )


def adapter_bytes(training: Path) -> int:
    """Return the size of the adapter file of one training."""
    return (training / ADAPTER_FILE).stat().st_size


def not_measured(attempt: Attempt, scored: Scored) -> dict[str, str]:
    """Explain every figure that is null."""
    reasons = dict(scored.not_measured)
    if attempt.again is None:
        reasons["determinism"] = "a quick verdict trains each seed once; --record trains one twice"
    if not any(prompt.background or prompt.ink for prompt in attempt.track.file.prompts):
        reasons["prompt_adherence"] = "the track asks for no colours"
    return reasons


def stopped_early(row: Row, seeds: int) -> Row:
    """Mark a row whose other seeds were not trained because they could not change its verdict."""
    text = f"Clearly worse after {len(row.scores)} of {seeds} seeds (99 % interval): not run on."
    return row.model_copy(update={"flags": (*row.flags, Flag(kind="stopped early", text=text))})
