"""Have the trusted scorer measure base, reference and contribution."""

from __future__ import annotations

from harness.errors import HubError
from harness.records import ErrorReport, GenerateConfig
from harness.registry import REFERENCE_NAME
from harness.scoring.jobs import Entry, ScoreAnswer, ScoreJob
from harness.steps.attempt import THREADS, Attempt
from harness.worker.jobs import DELTA_FILE, seed_folder
from harness.worker.process import Child, run_children

TIMEOUT_S = 600


def score(attempt: Attempt) -> ScoreAnswer:
    """Start the scorer and return its figures.

    Raises:
        HubError: The scorer failed, or refused a delta.
    """
    file = attempt.track.file
    out = attempt.folder / "score"
    job = ScoreJob(
        base_model=str(attempt.track.base_model),
        heldout_dir=attempt.track.heldout_dir,
        resolution=file.resolution,
        grid=file.grid,
        prompts=file.prompts,
        sampling=GenerateConfig(height=file.resolution, width=file.resolution),
        entries=entries(attempt),
        device=attempt.device,
        threads=THREADS,
        out=out,
    )
    child = Child(
        "scorer", "harness.scoring.main", job, out, TIMEOUT_S, ScoreAnswer.model_validate_json
    )
    run_children([child], attempt.progress)
    outcome = child.ended()
    if outcome.answer is None:
        raise as_exception(outcome.error)
    for entry in outcome.answer.entries:
        if entry.error is not None:
            raise as_exception(entry.error)
    return outcome.answer


def entries(attempt: Attempt) -> tuple[Entry, ...]:
    """List what is scored: the reference first, then the contribution, once per seed."""
    sources = [(attempt.contribution.name, attempt.own_training)]
    if not attempt.is_reference:
        sources.insert(0, (REFERENCE_NAME, attempt.reference_training))
    return tuple(
        Entry(label=label, seed=seed, delta=seed_folder(out, seed) / DELTA_FILE)
        for label, out in sources
        for seed in attempt.seeds
    )


def as_exception(report: ErrorReport | None) -> HubError:
    """Turn a child's report back into an exception."""
    if report is None:
        return HubError("The scorer ended without an answer.")
    return HubError(report.what, where=report.where, fix=report.fix)
