"""``sweep``: choose a learning rate for a contribution, on training-side data only."""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from harness import paths
from harness.commands.isolation import add_isolation_arguments, settle
from harness.contributions import registry
from harness.contributions.dependencies import require_installed
from harness.contributions.record import Contribution
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.studies.rate_sweep import (
    RATES,
    Sweep,
    Trial,
    bench_hash,
    choose,
    lean,
    read_sweep,
    split,
    subject_hash,
    sweep_file,
    with_rate,
)
from harness.sandbox.child import POLL_S, Child
from harness.sandbox.files import ANSWER_FILE, JOB_FILE
from harness.scoring.jobs import Entry, ScoreAnswer, ScoreJob
from harness.worker.jobs import DELTA_FILE, Answer, TrainJob, seed_folder
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.core.progress import Progress, create_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("name", help="contribution to choose a rate for, or `reference`")
    add(
        "--rates",
        type=read_rates,
        default=RATES,
        help=f"comma-separated (default: {','.join(f'{rate:g}' for rate in RATES)})",
    )
    add("--track", default=DEFAULT_TRACK, help="the track (default: %(default)s)")
    add("--seeds", type=int, default=1, help="per rate (default: %(default)s)")
    add("--jobs", type=int, default=2, help="trainings at once (%(default)s)")
    add("--fresh", action="store_true", help="ignore the rates tried before")
    add_isolation_arguments(parser)


def read_rates(text: str) -> tuple[float, ...]:
    """Read ``3e-4,1e-3`` as numbers between 0 and 1.

    Raises:
        argparse.ArgumentTypeError: One is no number, or out of range.
    """
    try:
        rates = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list such as 3e-4,1e-3,3e-3"
        ) from error
    if not all(0 < rate <= 1 for rate in rates):
        raise argparse.ArgumentTypeError("a learning rate is between 0 and 1")
    return rates


def run(args: argparse.Namespace) -> int:
    """Train what is missing, score it, write leaderboard/sweeps/NAME.json and show it."""
    console, track = Console(highlight=False), load_track(args.track)
    contribution = registry.load_any(args.name)
    require_installed(contribution)
    settle(args, contribution, console)
    path = sweep_file(contribution.name, track.file.name)
    # What was found on a person's pictures stays out of git, and the board does not show the rest.
    if track.is_own or track.file.in_preparation:
        path = paths.RUNS / track.file.name / "sweep" / f"{contribution.name}.json"
    seeds = tuple(range(max(1, args.seeds)))
    known = None if args.fresh else read_sweep(path)
    with create_progress(console) as progress:
        found = measure(contribution, track, args.rates, seeds, args.jobs, known, progress)
    atomic.write_text(path, found.model_dump_json(indent=1) + "\n")
    show(found, contribution, console)
    console.print(f"Written: {path}", markup=False, soft_wrap=True)
    return 0


def measure(
    contribution: Contribution,
    track: Track,
    rates: Sequence[float],
    seeds: tuple[int, ...],
    jobs: int,
    known: Sweep | None,
    progress: Progress,
) -> Sweep:
    """Return a sweep over ``rates`` and over those of ``known`` that still hold.

    Raises:
        UsageError: There is nothing to choose between.
        HubError: The scorer failed.
    """
    subject, bench = subject_hash(contribution), bench_hash(track)
    kept = known.trials if known and known.fits(subject, bench, seeds) else ()
    missing = [rate for rate in rates if rate not in {one.learning_rate for one in kept}]
    folder = paths.RUNS / track.file.name / "sweep" / f"{contribution.name}-{subject[7:15]}"
    held_back = split(track.train_dir, folder / "pictures")
    faults = train(contribution, track, missing, seeds, jobs, folder, progress)
    trained = [rate for rate in missing if rate not in faults]
    base_loss = known.base_loss if known and kept else 0.0
    trials = [*kept, *(Trial(learning_rate=rate, fault=why) for rate, why in faults.items())]
    if trained:
        base_loss, scored = score(track, trained, seeds, folder, progress)
        trials += scored
    trials.sort(key=lambda trial: trial.learning_rate)
    chosen, at_edge = choose(trials)
    return Sweep(
        contribution=contribution.name,
        track=track.file.name,
        subject_hash=subject,
        bench_hash=bench,
        reference_hash=registry.load_reference().content_hash,
        steps=track.file.steps,
        batch_size=track.file.batch_size,
        seeds=seeds,
        held_back=held_back,
        base_loss=base_loss,
        trials=tuple(trials),
        chosen=chosen,
        at_edge=at_edge,
        created_at=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
    )


def train(
    contribution: Contribution,
    track: Track,
    rates: Sequence[float],
    seeds: tuple[int, ...],
    jobs: int,
    folder: Path,
    progress: Progress,
) -> dict[float, str]:
    """Train with every rate that has not been trained yet; return rates that failed, and why.

    A rate that is too high may end in numbers that are not finite: that is an answer, so the
    others go on.
    """
    faults: dict[float, str] = {}
    waiting = list(rates)
    while waiting:
        now, waiting = waiting[:jobs], waiting[jobs:]
        wanted = {rate: train_job(contribution, track, rate, seeds, folder) for rate in now}
        children = {
            rate: Child(
                f"learning rate {rate:g}",
                "harness.worker.main",
                job,
                job.out,
                track.file.timeout_s * len(seeds),
                Answer.model_validate_json,
            )
            for rate, job in wanted.items()
            if not is_trained(job)
        }
        follow(list(children.values()), progress)
        for rate, child in children.items():
            outcome = child.ended()
            if outcome.error is not None:
                faults[rate] = outcome.error.what
            elif outcome.answer and (why := outcome.answer.seeds[0].unmergeable):
                faults[rate] = f"there is no merged weight to measure: {why}"
    return faults


def follow(children: Sequence[Child[Any]], progress: Progress) -> None:
    """Follow children to their ends; unlike in a run, one that fails does not end the others."""
    try:
        while not all([child.poll(progress) for child in children]):  # noqa: C419  # poll each
            time.sleep(POLL_S)
    finally:
        for child in children:
            child.kill()


def train_job(
    contribution: Contribution, track: Track, rate: float, seeds: tuple[int, ...], folder: Path
) -> TrainJob:
    """Return what a worker is asked for one rate."""
    file = track.file
    return TrainJob(
        contribution=with_rate(contribution, rate),
        reference=registry.load_reference(),
        base_model=str(track.base_model),
        out=folder / str(rate),
        data_dir=folder / "pictures" / "train",
        resolution=file.resolution,
        steps=file.steps,
        batch_size=file.batch_size,
        seeds=seeds,
        prompts=file.texts[:1],
    )


def is_trained(job: TrainJob) -> bool:
    """Tell whether a run that was cut short later has done this very job already."""
    asked, answered = job.out / JOB_FILE, job.out / ANSWER_FILE
    if not (asked.is_file() and answered.is_file()):
        return False
    same = asked.read_text(encoding="utf-8") == job.model_dump_json(indent=1)
    deltas = all((seed_folder(job.out, seed) / DELTA_FILE).is_file() for seed in job.seeds)
    return same and deltas


def score(
    track: Track, rates: Sequence[float], seeds: tuple[int, ...], folder: Path, progress: Progress
) -> tuple[float, list[Trial]]:
    """Measure all rates on the held-back pictures in one scorer; return the base's loss too.

    Raises:
        HubError: The scorer failed.
    """
    pictures = folder / "pictures"
    entries = [
        Entry(label=str(rate), seed=seed, delta=seed_folder(folder / str(rate), seed) / DELTA_FILE)
        for rate in rates
        for seed in seeds
    ]
    job = ScoreJob.on(
        track,
        entries,
        folder / "score",
        track=lean(track.file),
        train_dir=pictures / "train",
        heldout_dir=pictures / "heldback",
    )
    read = ScoreAnswer.model_validate_json
    scorer = Child("measuring", "harness.scoring.main", job, job.out, 3600, read)
    follow([scorer], progress)
    answer, error = scorer.ended().answer, scorer.ended().error
    if answer is None or answer.base is None:
        what = error.what if error else "it left no figures"
        raise HubError(f"The scorer failed: {what}", where=str(job.out))
    trials = []
    for rate in rates:
        own = [entry for entry in answer.entries if entry.label == str(rate)]
        losses = tuple(one.figures.heldout.mean for one in own if one.figures)
        why = next((one.error.what for one in own if one.error), None)
        complete = len(losses) == len(seeds)
        trials.append(Trial(learning_rate=rate, losses=losses if complete else (), fault=why))
    return answer.base.heldout.mean, trials


def show(found: Sweep, contribution: Contribution, console: Console) -> None:
    """Print the table and what to do with it."""
    pictures = f"{len(found.held_back)} held-back training pictures"
    console.print(f"Loss on {pictures} after {found.steps} steps (base: {found.base_loss:.4f})")
    for trial in found.trials:
        mark = "  <- best" if trial.learning_rate == found.chosen else ""
        if trial.losses:
            gain = 1 - trial.mean / found.base_loss
            told = f"{trial.mean:.4f}  gain {gain:+7.2%}{mark}"
        else:
            told = f"failed: {trial.fault}"
        console.print(f"{trial.learning_rate:>10g}  {told}", markup=False, soft_wrap=True)
    if found.at_edge:
        higher = found.chosen == found.trials[-1].learning_rate
        beyond = found.chosen * 3 if higher else found.chosen / 3
        console.print(
            f"The best rate is at the edge of the list. Try more: --rates {beyond:.0e}",
            style="yellow",
        )
    now = contribution.file.settings.train.learning_rate
    if now == found.chosen:
        console.print(f"{contribution.name} uses it already: {now:g}.")
    else:
        table = f"[settings.train] learning_rate = {found.chosen:g}"
        console.print(f"Now {now:g}. To use the best: {table}", markup=False, soft_wrap=True)
