"""``calibrate``: measure how small a difference the protocol can show, once per version of it."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from harness import atomic, paths, registry
from harness.calibration import FOLDER, REFERENCE, VARIANTS, Calibration, Variant, summarise
from harness.commands.isolation import add_isolation_arguments, settle
from harness.errors import HubError
from harness.progress import Progress, create_progress
from harness.scoring.jobs import Entry, ScoreAnswer, ScoreJob
from harness.track import DEFAULT_TRACK, Track, load_track
from harness.worker.jobs import DELTA_FILE, Answer, TrainJob, seed_folder
from harness.worker.process import Child, run_children


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--track", default=DEFAULT_TRACK, help="which track (default: %(default)s)")
    parser.add_argument(
        "--seeds", type=int, default=20, help="of the reference (default: %(default)s)"
    )
    parser.add_argument(
        "--variant-seeds", type=int, default=5, help="of each variant (default: %(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once (%(default)s)")
    add_isolation_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train, score, write leaderboard/calibration/TRACK.json; 1 when an order was not found."""
    console, track = Console(highlight=False), load_track(args.track)
    layer = settle(args, registry.load_reference(), console)
    seeds = {Variant(REFERENCE): args.seeds} | dict.fromkeys(VARIANTS, args.variant_seeds)
    with create_progress(console) as progress:
        gains = measure(track, seeds, args.jobs, progress)
    found = summarise(track, gains, layer)
    path = FOLDER / f"{track.file.name}.json"
    atomic.write_text(path, found.model_dump_json(indent=1) + "\n")
    show(found, console)
    console.print(f"Written: {path}", soft_wrap=True)
    return 0 if all(order.found for order in found.orders) else 1


def measure(
    track: Track, seeds: dict[Variant, int], jobs: int, progress: Progress
) -> dict[str, list[float]]:
    """Train and score every variant, a few at a time, and return gains by label.

    Raises:
        HubError: A worker or scorer failed.
    """
    waiting = list(seeds.items())
    gains: dict[str, list[float]] = {}
    while waiting:
        now, waiting = waiting[:jobs], waiting[jobs:]
        children = {variant: train_child(track, variant, count) for variant, count in now}
        finish(list(children.values()), progress)
        scorers = {variant: score_child(track, variant, count) for variant, count in now}
        finish(list(scorers.values()), progress)
        for variant, scorer in scorers.items():
            gains[variant.label] = gains_of(scorer)
    return gains


def folder_of(track: Track, variant: Variant) -> Path:
    """Return where a variant keeps its files."""
    return paths.RUNS / track.file.name / "calibration" / variant.contribution().name


def train_child(track: Track, variant: Variant, count: int) -> Child[Answer]:
    """Start one worker that trains a variant with seeds 0, 1, 2, ..."""
    file, out = track.file, folder_of(track, variant) / "train"
    job = TrainJob(
        contribution=variant.contribution(),
        reference=registry.load_reference(),
        base_model=str(track.base_model),
        out=out,
        data_dir=track.train_dir,
        resolution=file.resolution,
        steps=variant.budget(file.steps),
        batch_size=file.batch_size,
        seeds=tuple(range(count)),
        prompts=file.texts[:1],
    )
    label, limit = f"training {variant.label}", file.timeout_s * count
    return Child(label, "harness.worker.main", job, out, limit, Answer.model_validate_json)


def score_child(track: Track, variant: Variant, count: int) -> Child[ScoreAnswer]:
    """Start one scorer on everything that a variant trained."""
    folder = folder_of(track, variant)
    job = ScoreJob(
        track=track.file,
        base_model=str(track.base_model),
        judge_dir=track.judge_dir,
        train_dir=track.train_dir,
        heldout_dir=track.heldout_dir,
        contrast_dir=track.contrast_dir,
        entries=tuple(
            Entry(
                label=variant.label,
                seed=seed,
                delta=seed_folder(folder / "train", seed) / DELTA_FILE,
            )
            for seed in range(count)
        ),
        out=folder / "score",
    )
    label = f"scoring {variant.label}"
    return Child(label, "harness.scoring.main", job, job.out, 3600, ScoreAnswer.model_validate_json)


def finish(children: list[Child[Answer]] | list[Child[ScoreAnswer]], progress: Progress) -> None:
    """Follow children to their ends.

    Raises:
        HubError: One of them failed.
    """
    run_children(children, progress)
    for child in children:
        error = child.outcome.error if child.outcome else None
        if error is not None:
            raise HubError(f"{child.label}: {error.what}", where=error.where, fix=error.fix)


def gains_of(scorer: Child[ScoreAnswer]) -> list[float]:
    """Return the gains of a scoring, seed by seed.

    Raises:
        HubError: A figure is missing.
    """
    answer = scorer.ended().answer
    figures = [entry.figures for entry in answer.entries] if answer else []
    gains = [one.gain for one in figures if one is not None]
    if not gains or len(gains) != len(figures):
        raise HubError(f"{scorer.label} left out a figure.", where=str(scorer.out))
    return gains


def show(found: Calibration, console: Console) -> None:
    """Print what was found."""
    for label, spread in found.gains.items():
        deviation = f"sd {spread.deviation:.2%}" if spread.deviation is not None else ""
        console.print(f"{label:<22} gain {spread.mean:+7.2%}  {deviation}  {spread.seeds} seeds")
    for seeds, difference in found.detectable.items():
        console.print(f"{seeds:>2} seeds show a difference of {100 * difference:.2f} points")
    for order in found.orders:
        low, high = order.interval or (float("nan"), float("nan"))
        word = "as expected" if order.found else "NOT FOUND"
        console.print(f"{order.better} over {order.worse}: {low:+.2%} to {high:+.2%}, {word}")
