"""Carry out a sweep: train and score rate by rate until there is nothing more to try."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol.track import Track
from harness.runs.graph.course import Course
from harness.runs.graph.pool import Pool
from harness.runs.steps.one_child import OneChild
from harness.runs.steps.score import figures_of, losses_on, scorer
from harness.runs.studies.rate_choice import BUDGET, Budget, bound, choose, next_rates, tolerance
from harness.runs.studies.rate_sweep import fold_folder, split, with_rate
from harness.runs.sweep_files import FOLDS, Fold, Sweep, Trial, bench_hash, subject_hash
from harness.sandbox.child import Child
from harness.sandbox.files import ANSWER_FILE, JOB_FILE
from harness.scoring.jobs import Entry, ScoreAnswer
from harness.worker.jobs import DELTA_FILE, Answer, TrainJob, seed_folder
from toolkit.core.progress import Progress


@dataclass(frozen=True)
class Bench:
    """What all trials of one sweep share.

    Args:
        contribution: Whose rate is chosen.
        track: Whose training pictures, budget and base are used.
        folder: Where the trials leave their files.
        jobs: Trainings at once.
    """

    contribution: Contribution
    track: Track
    folder: Path
    jobs: int
    progress: Progress

    @property
    def pictures(self) -> Path:
        """Where the folds' pictures are."""
        return self.folder / "pictures"

    def out(self, rate: float, fold: int) -> Path:
        """Return the folder of one training."""
        return self.folder / f"{rate:g}" / f"fold-{fold}"


def sweep(
    contribution: Contribution,
    track: Track,
    jobs: int,
    known: Sweep | None,
    progress: Progress,
    budget: Budget = BUDGET,
) -> Sweep:
    """Try rates until the best lies inside and its range has two ends, or the budget is spent.

    Args:
        contribution: Whose rate is chosen.
        track: Whose training pictures, budget and base are used.
        jobs: Trainings at once.
        known: An earlier sweep; its trials are not repeated while nothing has changed.
        progress: Shows what is going on.
        budget: What may be tried; all recorded sweeps have the same.

    Raises:
        UsageError: There is nothing to choose between.
        HubError: The scorer failed.
    """
    subject, bench_of = subject_hash(contribution), bench_hash(track)
    folder = paths.RUNS / track.file.name / "sweep" / f"{contribution.name}-{subject[7:15]}"
    bench = Bench(contribution, track, folder, jobs, progress)
    held_back = split(track.train_dir, bench.pictures)
    usable = known if known is not None and known.fits(subject, bench_of) else None
    trials = list(usable.trials) if usable else []
    base_losses = [fold.base_loss for fold in usable.folds] if usable else []
    while rates := next_rates(trials, budget):
        found, losses = try_rates(bench, rates)
        trials, base_losses = [*trials, *found], losses or base_losses
    trials.sort(key=lambda trial: trial.learning_rate)
    chosen = choose(trials)
    return Sweep(
        contribution=contribution.name,
        track=track.file.name,
        subject_hash=subject,
        bench_hash=bench_of,
        reference_hash=registry.load_reference().content_hash,
        steps=track.file.steps,
        batch_size=track.file.batch_size,
        folds=tuple(
            Fold(seed=fold, held_back=names, base_loss=base_losses[fold])
            for fold, names in enumerate(held_back)
        ),
        most_rates=budget.most,
        trials=tuple(trials),
        chosen=chosen,
        bound=bound(trials),
        tolerance=tolerance(trials),
        created_at=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
    )


def try_rates(bench: Bench, rates: Sequence[float]) -> tuple[list[Trial], list[float]]:
    """Train and score some rates on all folds.

    Returns:
        A trial for each, and the base's loss on each fold; none when no rate trained.

    Raises:
        HubError: The scorer failed.
    """
    faults = train(bench, rates)
    trained = [rate for rate in rates if rate not in faults]
    gains: dict[float, list[float]] = {rate: [] for rate in trained}
    base_losses = []
    for answer in score(bench, trained) if trained else ():
        base_losses.append(answer.base.heldout.mean if answer.base else 0.0)
        for rate, entry in zip(trained, answer.entries, strict=True):
            if entry.figures is not None:
                gains[rate].append(entry.figures.gain)
            elif entry.error is not None:
                faults[rate] = entry.error.what
    return [
        Trial(
            learning_rate=rate,
            gains=() if rate in faults else tuple(gains[rate]),
            fault=faults.get(rate),
        )
        for rate in rates
    ], base_losses


def train(bench: Bench, rates: Sequence[float]) -> dict[float, str]:
    """Train every rate on every fold, what has not been trained yet; return rates that failed.

    A rate that is too high may end in numbers that are not finite: that is an answer, so the
    others go on.
    """
    courses = [train_rate(bench, rate) for rate in rates]
    whys = Pool(bench.jobs).run_each(courses, bench.progress)
    return {rate: why for rate, why in zip(rates, whys, strict=True) if why is not None}


def train_rate(bench: Bench, rate: float) -> Course[str | None]:
    """Train one rate on every fold; return its first failure, which ends it, or None."""
    jobs = [train_job(bench, rate, fold) for fold in range(FOLDS)]
    trainings = [training(bench, rate, job) for job in jobs if not is_trained(job)]
    yield [one.task("train", bench.track) for one in trainings]
    for outcome in (one.outcome for one in trainings if one.outcome is not None):
        unmergeable = outcome.answer and outcome.answer.seeds[0].unmergeable
        if outcome.error is not None:
            return outcome.error.what
        if unmergeable:
            return f"there is no merged weight to measure: {unmergeable}"
    return None


def training(bench: Bench, rate: float, job: TrainJob) -> OneChild[Answer]:
    """Describe one training."""
    label, limit = f"learning rate {rate:g}, seed {job.seeds[0]}", bench.track.file.timeout_s
    read = Answer.model_validate_json
    return OneChild(label, lambda: Child(label, "harness.worker.main", job, job.out, limit, read))


def train_job(bench: Bench, rate: float, fold: int) -> TrainJob:
    """Return what a worker is asked for one rate on one fold."""
    file = bench.track.file
    return TrainJob(
        contribution=with_rate(bench.contribution, rate),
        reference=registry.load_reference(),
        base_model=str(bench.track.base_model),
        out=bench.out(rate, fold),
        data_dir=fold_folder(bench.pictures, fold) / "train",
        resolution=file.resolution,
        steps=file.steps,
        batch_size=file.batch_size,
        seeds=(fold,),
        prompts=file.texts[:1],
    )


def is_trained(job: TrainJob) -> bool:
    """Tell whether a run that was cut short later has done this very job already."""
    asked, answered = job.out / JOB_FILE, job.out / ANSWER_FILE
    if not (asked.is_file() and answered.is_file()):
        return False
    same = asked.read_text(encoding="utf-8") == job.model_dump_json(indent=1)
    return same and (seed_folder(job.out, job.seeds[0]) / DELTA_FILE).is_file()


def score(bench: Bench, rates: Sequence[float]) -> list[ScoreAnswer]:
    """Measure rates on the held-back pictures of each fold, a scorer for each.

    Raises:
        HubError: A scorer failed.
    """
    scorings = [scoring(bench, rates, fold) for fold in range(FOLDS)]
    tasks = [one.task("score", bench.track) for one in scorings]
    Pool(bench.jobs).run_tasks(tasks, bench.progress)
    return [figures_of(one.answer) for one in scorings]


def scoring(bench: Bench, rates: Sequence[float], fold: int) -> OneChild[ScoreAnswer]:
    """Describe the scorer of one fold."""
    entries = tuple(
        Entry(
            label=f"{rate:g}",
            seed=fold,
            delta=seed_folder(bench.out(rate, fold), fold) / DELTA_FILE,
        )
        for rate in rates
    )
    label, out = f"measuring fold {fold}", bench.folder / f"score-{fold}"
    pictures = fold_folder(bench.pictures, fold)
    fields = losses_on(bench.track, pictures / "train", pictures / "heldback")
    return OneChild(label, lambda: scorer(label, bench.track, entries, out, "cpu", **fields))
