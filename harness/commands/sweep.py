"""``sweep``: choose a learning rate for a contribution, on training-side data only."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from harness import paths
from harness.commands.isolation import add_isolation_arguments, settle
from harness.contributions import registry
from harness.contributions.dependencies import require_installed
from harness.contributions.record import Contribution
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.graph.pool import carry_out
from harness.runs.pipeline import study_task
from harness.runs.steps.score import Scoring
from harness.runs.steps.train import Training
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
from harness.worker.jobs import TrainJob, seed_folder
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
    seeds = tuple(range(max(1, args.seeds)))
    known = None if args.fresh else read_sweep(path)
    with create_progress(console) as progress:
        found = measure(contribution, track, args.rates, seeds, args.jobs, known, progress)
    atomic.write_text(path, found.model_dump_json(indent=1) + "\n")
    show(found, contribution, console)
    console.print(f"Written: {path.relative_to(paths.ROOT)}", soft_wrap=True)
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
    base_loss, trials = known.base_loss if known and kept else 0.0, list(kept)
    if missing:
        base_loss, tried = measure_rates(
            contribution, track, missing, seeds, jobs, folder, progress
        )
        trials += tried
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


def measure_rates(
    contribution: Contribution,
    track: Track,
    rates: Sequence[float],
    seeds: tuple[int, ...],
    jobs: int,
    folder: Path,
    progress: Progress,
) -> tuple[float, list[Trial]]:
    """Train with every rate and measure it on the held-back pictures; return the base's loss too.

    A rate that is too high may end in numbers that are not finite: that is an answer, so the
    others go on.

    Raises:
        HubError: The base could not be measured.
    """
    pictures, bench = folder / "pictures", replace(track, file=lean(track.file))
    base = Scoring("the base", bench, folder / "base", fresh=True, heldback=pictures)
    first = study_task("base", base, progress)
    tasks, scored = [first], {}
    for rate in rates:
        trained = [train_with(contribution, track, rate, seed, folder) for seed in seeds]
        pairs, out = tuple((one, None) for one in trained), folder / str(rate) / "score"
        scorer = Scoring(f"measuring {rate:g}", bench, out, base=base, trained=pairs)
        scorer.name, scorer.fresh, scorer.heldback = str(rate), True, pictures
        own = [study_task("train", one, progress) for one in trained]
        tasks += [*own, study_task("score", scorer, progress, first, *own)]
        scored[rate] = scorer
    carry_out(tasks, jobs, progress)
    if base.error is not None:
        raise HubError(f"The scorer failed: {base.error.what}", where=str(base.folder))
    return base.base_figures.heldout.mean, [trial_of(*one) for one in scored.items()]


def trial_of(rate: float, scorer: Scoring) -> Trial:
    """Return how a rate did: its losses, or why there are none."""
    for training, _ in scorer.trained:
        outcome = training.outcome
        if outcome is not None and outcome.error is not None:
            return Trial(learning_rate=rate, fault=outcome.error.what)
        if outcome is not None and (why := training.trained.unmergeable):
            fault = f"there is no merged weight to measure: {why}"
            return Trial(learning_rate=rate, fault=fault)
    if scorer.error is not None:
        return Trial(learning_rate=rate, fault=scorer.error.what)
    figures = [entry.figures for entry in scorer.measured.entries]
    return Trial(learning_rate=rate, losses=tuple(one.heldout.mean for one in figures if one))


def train_with(
    contribution: Contribution, track: Track, rate: float, seed: int, folder: Path
) -> Training:
    """Describe the training of one rate and seed."""
    file, out = track.file, seed_folder(folder / str(rate), seed)
    job = TrainJob(
        contribution=with_rate(contribution, rate),
        reference=registry.load_reference(),
        base_model=str(track.base_model),
        out=out,
        data_dir=out.with_name(f"{out.name}-pictures"),
        resolution=file.resolution,
        steps=file.steps,
        batch_size=file.batch_size,
        seed=seed,
        prompts=file.texts[:1],
        draws=False,
    )
    label, source = f"learning rate {rate:g}, seed {seed}", folder / "pictures" / "train"
    return Training(label, job, source, file.timeout_s, same_job=True)


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
