"""Have the trusted scorer measure base, contribution and reference; the reference once per key."""

from __future__ import annotations

from pathlib import Path

from harness.protocol.figures import Figures
from harness.protocol.row import ErrorReport
from harness.runs.steps.attempt import THREADS, Attempt
from harness.runs.steps.outcomes import Scored
from harness.sandbox.child import Child, run_children
from harness.sandbox.files import ANSWER_FILE
from harness.scoring.jobs import Entry, EntryScore, ScoreAnswer, ScoreJob
from harness.worker.jobs import (
    DELTA_FILE,
    Answer,
    again_folder,
    picture_file,
    remade_folder,
    seed_folder,
)
from toolkit.core.errors import HubError

TIMEOUT_S = 1800

# The base is measured in every job. One machine repeats itself to the bit.
REPEATS = 1e-6


def score(attempt: Attempt, own: Answer, reference: Answer) -> Scored | ErrorReport:
    """Measure what has not been measured before; a delta that the scorer refuses is a failure.

    Raises:
        HubError: The machine does not repeat itself.
    """
    known = None if attempt.is_reference else read_scores(attempt.reference_scoring, attempt.seeds)
    children = [score_child(attempt, own, attempt.own_training, attempt.own_scoring)]
    if known is None and not attempt.is_reference:
        children.append(
            score_child(attempt, reference, attempt.reference_training, attempt.reference_scoring)
        )
    run_children(children, attempt.progress)
    for child in children:
        if child.outcome is not None and child.outcome.error is not None:
            return child.outcome.error
    answers = [complete_answer(child) for child in children]
    for answer in answers:
        refused = [entry.error for entry in answer.entries if entry.error is not None]
        if refused:
            return refused[0]
    measured, yardstick = answers[0], known or answers[-1]
    if measured.base is None or yardstick.base is None:
        raise HubError("The scorer left out the base.", where="harness/scoring/main.py")
    require_repeated(measured.base, yardstick.base)
    return Scored(measured.base, by_seed(measured), by_seed(yardstick), dict(measured.not_measured))


def complete_answer(child: Child[ScoreAnswer]) -> ScoreAnswer:
    """Return a scorer's answer.

    Raises:
        HubError: It was stopped before it had one.
    """
    answer = child.ended().answer
    if answer is None:
        raise HubError("The scorer left no answer.", where="harness/scoring/main.py")
    return answer


def by_seed(answer: ScoreAnswer) -> dict[int, EntryScore]:
    """Return the entries of an answer by their seeds."""
    return {entry.seed: entry for entry in answer.entries}


def require_repeated(now: Figures, then: Figures) -> None:
    """Make sure that the base measures now as it did when the reference was scored.

    Raises:
        HubError: It does not.
    """
    if abs(now.heldout.mean - then.heldout.mean) > REPEATS * then.heldout.mean:
        raise HubError(
            f"The base's held-out loss is {now.heldout.mean:.6f} now and was "
            f"{then.heldout.mean:.6f} when the reference was scored on this machine.",
            fix="Remove runs/ and run again; if it comes back, `nox -s doctor`.",
        )


def read_scores(folder: Path, seeds: tuple[int, ...]) -> ScoreAnswer | None:
    """Return the figures of a scoring that is complete, or None."""
    try:
        answer = ScoreAnswer.model_validate_json((folder / ANSWER_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    same = tuple(entry.seed for entry in answer.entries) == seeds
    good = answer.error is None and all(entry.error is None for entry in answer.entries)
    return answer if same and good else None


def score_child(attempt: Attempt, answer: Answer, training: Path, out: Path) -> Child[ScoreAnswer]:
    """Start one scorer on everything that one training left."""
    track = attempt.track
    label = attempt.reference.name if out == attempt.reference_scoring else None
    found = entries(attempt, answer, training, label or attempt.contribution.name)
    job = ScoreJob.on(track, found, out, device=attempt.device, threads=THREADS)
    return Child(
        f"scoring {label or attempt.contribution.name}",
        "harness.scoring.main",
        job,
        out,
        max(TIMEOUT_S, track.file.timeout_s * (len(job.entries) + 1)),  # the base is measured, too
        ScoreAnswer.model_validate_json,
    )


def entries(attempt: Attempt, answer: Answer, training: Path, label: str) -> tuple[Entry, ...]:
    """List what is scored of one training, once per seed."""
    listed = []
    for outcome in answer.seeds:
        folder = seed_folder(training, outcome.seed)
        again = again_folder(training, outcome.seed) / DELTA_FILE
        drawn = [picture_file(folder, i) for i in range(len(attempt.track.file.prompts))]
        listed.append(
            Entry(
                label=label,
                seed=outcome.seed,
                delta=None if outcome.unmergeable else folder / DELTA_FILE,
                again=again if again.is_file() else None,
                remade=None
                if outcome.unmergeable
                else remade_folder(training, outcome.seed) / DELTA_FILE,
                own_pictures=tuple(drawn) if all(path.is_file() for path in drawn) else (),
            )
        )
    return tuple(listed)
