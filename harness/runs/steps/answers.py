"""Look at everything a worker hands over, whole, before anything else touches it.

The worker runs a stranger's code: its answer and its files may say anything. What is let through
here has the number, the size and the range that the rest of the hub counts on. What is not raises
ValueError with a sentence, and the child that left it counts as crashed.
"""

from __future__ import annotations

import math
import stat
from pathlib import Path

from harness.sandbox.allowance import weight_bytes
from harness.worker.jobs import (
    ADAPTER_FILE,
    DELTA_FILE,
    Answer,
    RemakeJob,
    SeedOutcome,
    TrainJob,
    Watched,
    picture_file,
    seed_folder,
)
from toolkit.deltas.tolerance import TOLERANCE

LARGEST_LOSS = 1e6  # the base's is about 1; far above it a training has burst
LONGEST_REASON = 1000  # characters
LONGEST_S = 10**7  # of processor time: four months
MIB = 1 << 20
# Beside the weights themselves, which in float32 take twice the bytes of a base in float16.
COPIES_OF_THE_BASE, BESIDE_WEIGHTS = 2, 64 * MIB
# A PNG that packs badly is a little larger than its pixels.
BYTES_PER_PIXEL, BESIDE_PIXELS = 4, MIB


def read_training(job: TrainJob, data: bytes) -> Answer:
    """Read the answer of a training, and look at the files that it left.

    Raises:
        ValueError: It is none, is about something else than was asked, or is out of range.
    """
    answer = Answer.model_validate_json(data)
    if answer.error is not None:
        return answer
    seeds = tuple(outcome.seed for outcome in answer.seeds)
    if seeds != job.seeds:
        raise ValueError(f"it is about the seeds {seeds[:20]}, asked for were {job.seeds}")
    most = largest_file(job.base_model)
    for outcome in answer.seeds:
        check_outcome(outcome, job)
        folder = seed_folder(job.out, outcome.seed)
        require_file(folder / ADAPTER_FILE, most)
        if outcome.unmergeable is None:
            require_file(folder / DELTA_FILE, most)
        elif (folder / DELTA_FILE).exists():
            raise ValueError(f"seed {outcome.seed} is said to have no delta, and there is one")
    return answer


def check_outcome(outcome: SeedOutcome, job: TrainJob) -> None:
    """Check the numbers of one seed.

    Raises:
        ValueError: One is out of range, or there are too many or too few.
    """
    seed = f"seed {outcome.seed}"
    if len(outcome.losses) != job.steps:
        raise ValueError(f"{seed} has {len(outcome.losses):,} losses for {job.steps:,} steps")
    for step, loss in enumerate(outcome.losses, 1):
        if not (math.isfinite(loss) and abs(loss) <= LARGEST_LOSS):
            raise ValueError(f"{seed}: the loss of step {step} is {loss}")
    if not 0 <= outcome.merge_error <= TOLERANCE:  # written so that NaN fails too
        raise ValueError(f"{seed}: merge_error is {outcome.merge_error}, not 0 to {TOLERANCE}")
    if outcome.trainable_parameters < 1:
        raise ValueError(f"{seed} has no trainable parameters")
    reason = outcome.unmergeable
    if reason is not None and not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise ValueError(f"{seed}: the reason why it is unmergeable has {len(reason)} characters")
    if job.scored and outcome.watched is None:
        raise ValueError(f"{seed} was not counted")
    if outcome.watched is not None:
        check_watched(seed, outcome.watched)


def check_watched(seed: str, watched: Watched) -> None:
    """Check the numbers that were counted.

    Raises:
        ValueError: One is out of range.
    """
    rates, seconds = watched.rates or (), watched.hook_seconds.values()
    if not all(math.isfinite(one) for one in (*rates, watched.attached)):
        raise ValueError(f"{seed}: a learning rate or a prediction that was counted is not finite")
    if not all(0 <= one <= LONGEST_S for one in seconds):  # written so that NaN fails too
        raise ValueError(f"{seed}: the processor time of a hook is out of range")


def read_remaking(job: RemakeJob, data: bytes) -> Answer:
    """Read the answer of a job that made deltas again and drew, and look at its files.

    Raises:
        ValueError: It is none, or a file is missing or too large.
    """
    answer = Answer.model_validate_json(data)
    if answer.error is not None:
        return answer
    most = largest_file(job.base_model)
    for seed in job.seeds:
        folder = seed_folder(job.out, seed)
        if seed not in job.unmergeable:
            require_file(folder / DELTA_FILE, most)
        for number in range(len(job.prompts) if seed in job.drawn else 0):
            pixels = job.resolution * job.resolution
            require_file(picture_file(folder, number), BYTES_PER_PIXEL * pixels + BESIDE_PIXELS)
    return answer


def largest_file(base_model: str) -> int:
    """Return the most bytes that a file of weights may have."""
    return COPIES_OF_THE_BASE * weight_bytes(base_model) + BESIDE_WEIGHTS


def require_file(path: Path, most: int) -> None:
    """Check that a plain file of bounded size is there.

    Raises:
        ValueError: It is not.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        told = path.lstat()
    except OSError as error:
        raise ValueError(f"the file {name} is missing, or was no plain file") from error
    if not stat.S_ISREG(told.st_mode):
        raise ValueError(f"{name} is no plain file")
    if not 0 < told.st_size <= most:
        raise ValueError(f"{name} has {told.st_size:,} bytes; 1 to {most:,} are possible")
