"""Describe the training of one seed, and read what it left.

The reference's weights are trained once per key and then shared. Its time is not: on a machine that
does other things too, seconds of yesterday say nothing about seconds of today. So where all of the
reference is known already, its first seed is trained again, once in a graph, as a task like any
other: for the clock, and for a check, because it has to repeat itself to the bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.contributions.record import Contribution
from harness.runs.graph.task import Ending
from harness.runs.steps.attempt import THREADS, Attempt
from harness.sandbox.child import Child, Order
from harness.sandbox.files import ANSWER_FILE, JOB_FILE
from harness.sandbox.outcome import Outcome
from harness.sandbox.resource_use import Spent, read_spent
from harness.sandbox.tidy import remove_tree
from harness.worker.jobs import DELTA_FILE, Answer, SeedOutcome, TrainJob, picture_file
from toolkit.core.errors import HubError


@dataclass
class Training:
    """One training.

    Args:
        label: What the user sees.
        job: What the worker is asked. Its pictures are a copy, made just before, so that the path
            which a contribution sees does not lead to the held-out pictures.
        pictures: Where they are copied from.
        timeout_s: Its limit, wall time.
        begin: Called before anything is looked at.
        same_job: Whether a result counts only for this very job: its folder's name has no key.
        fresh: Whether a result that lies there does not count.
        shown: Whether it does not count without the pictures that its job asks for.
        spoils: What was made of an earlier training, and goes when this one starts.
    """

    label: str
    job: TrainJob
    pictures: Path
    timeout_s: float
    begin: Callable[[], None] = lambda: None
    fresh: bool = False
    same_job: bool = False
    shown: bool = True
    spoils: Path | None = None
    outcome: Outcome[Answer] | None = None
    ran: bool = False  # in this process, and not some time before

    @property
    def folder(self) -> Path:
        """Where the worker writes."""
        return self.job.out

    def known(self) -> Ending | None:
        """Take what was trained already."""
        if self.outcome is None and not self.fresh:
            asked = self.job.out / JOB_FILE
            other = self.same_job and not (
                asked.is_file() and asked.read_text("utf-8") == self.job.model_dump_json(indent=1)
            )
            answer = None if other else read_finished(self.job, shown=self.shown)
            self.outcome = Outcome(answer, None, "ok") if answer is not None else None
        if self.outcome is None:
            return None
        return "badly" if self.outcome.error else "well"

    def order(self) -> Order[Answer]:
        """Describe the worker; its folder of pictures is made here."""
        self.ran = True
        if self.spoils is not None and self.spoils.is_dir():
            remove_tree(self.spoils)
        shutil.rmtree(self.job.data_dir, ignore_errors=True)
        for folder in ("Images", "ImageCaptions"):
            shutil.copytree(self.pictures / folder, self.job.data_dir / folder)
        read = partial(read_answer, self.job.seed)
        job = self.job
        return Order(self.label, "harness.worker.main", job, job.out, self.timeout_s, read)

    def read(self, child: Child[Answer]) -> Ending:
        """Take how it ended."""
        shutil.rmtree(self.job.data_dir, ignore_errors=True)
        self.outcome = child.ended()
        return "badly" if self.outcome.error else "well"

    @property
    def trained(self) -> SeedOutcome:
        """What it yielded.

        Raises:
            HubError: It did not end well.
        """
        if self.outcome is None or self.outcome.answer is None or not self.outcome.answer.trained:
            raise HubError(f"There is no answer of {self.label}.", where=str(self.folder))
        return self.outcome.answer.trained

    @property
    def spent(self) -> Spent:
        """What its worker took.

        Raises:
            HubError: That was not kept.
        """
        spent = read_spent(self.folder)
        if spent is None:
            raise HubError(f"Nothing tells what {self.label} took.", where=str(self.folder))
        return spent

    @property
    def train_seconds(self) -> float:
        """The wall time of its train hook.

        Raises:
            HubError: A worker that ended well never said when it was training.
        """
        if self.spent.train_seconds is None:
            raise HubError(
                "The worker did not say when it was training, so nothing can be said about its "
                "time.",
                where=self.job.contribution.path,
                fix="Nothing but the harness may write events.jsonl.",
            )
        return self.spent.train_seconds


def training(
    attempt: Attempt,
    contribution: Contribution,
    seed: int,
    out: Path,
    begin: Callable[[], None] = lambda: None,
    *,
    draws: bool = False,
    fresh: bool = False,
    spoils: Path | None = None,
) -> Training:
    """Describe the training of a seed with the track's pictures and budget."""
    file = attempt.track.file
    job = TrainJob(
        contribution=contribution,
        reference=attempt.reference,
        base_model=str(attempt.track.base_model),
        device=attempt.device,
        threads=THREADS,
        out=out,
        data_dir=out.with_name(f"{out.name}-pictures"),
        resolution=file.resolution,
        steps=file.steps,
        batch_size=file.batch_size,
        seed=seed,
        prompts=file.texts,
        draws=draws,
    )
    label = f"{contribution.name}, seed {seed}"
    pictures = attempt.track.train_dir
    return Training(label, job, pictures, file.timeout_s, begin, fresh, spoils=spoils)


def read_answer(seed: int, data: bytes) -> Answer:
    """Read a training's answer.

    Raises:
        ValueError: It is none, or is about another seed.
    """
    answer = Answer.model_validate_json(data)
    if answer.error is None and (answer.trained is None or answer.trained.seed != seed):
        raise ValueError("it is not about the seed that was asked for")
    return answer


def read_finished(job: TrainJob, *, shown: bool) -> Answer | None:
    """Return the answer of a finished training, or None when there is none that can be used.

    Args:
        job: What the worker was asked.
        shown: Whether the pictures that it asks for have to be there.
    """
    try:
        answer = read_answer(job.seed, (job.out / ANSWER_FILE).read_bytes())
    except (OSError, ValueError):
        return None  # none, or of another version of the hub: train again
    spent, trained = read_spent(job.out), answer.trained
    if answer.error is not None or trained is None or spent is None or spent.train_seconds is None:
        return None
    whole = trained.unmergeable or (job.out / DELTA_FILE).is_file()
    drawn = not (job.draws and shown) or picture_file(job.out, len(job.prompts) - 1).is_file()
    return answer if whole and drawn else None
