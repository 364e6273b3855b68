"""Have the trusted scorer measure base, reference and contribution."""

from __future__ import annotations

from harness.records import GenerateConfig
from harness.registry import REFERENCE_NAME
from harness.scoring.jobs import Entry, ScoreAnswer, ScoreJob
from harness.steps.attempt import THREADS, Attempt
from harness.worker.jobs import DELTA_FILE, seed_folder
from harness.worker.process import Child, Outcome, run_children

TIMEOUT_S = 600


def score(attempt: Attempt) -> Outcome[ScoreAnswer]:
    """Start the scorer and return its figures; a delta that it refuses is a failure."""
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
    refused = [entry.error for entry in outcome.answer.entries] if outcome.answer else []
    for error in refused:
        if error is not None:
            return Outcome(None, error, "failed")
    return outcome


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
