"""``calibrate``: measure how small a difference the protocol can show, once per version of it."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from rich.console import Console

from harness import paths
from harness.board import calibration_page
from harness.commands.isolation import add_isolation_arguments, settle
from harness.commands.recording import refuse_record
from harness.contributions import registry
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.graph.course import Course
from harness.runs.graph.pool import Pool
from harness.runs.key import run_key
from harness.runs.steps.one_child import OneChild
from harness.runs.studies.calibration import (
    FOLDER,
    REFERENCE,
    VARIANTS,
    Calibration,
    Variant,
    summarise,
)
from harness.sandbox.child import Child
from harness.scoring.jobs import Entry, ScoreAnswer, ScoreJob
from harness.worker.jobs import DELTA_FILE, Answer, TrainJob, seed_folder
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.core.progress import Progress, create_progress

GAINS_FILE = "gains.json"
SCORING_S = 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--track", default=DEFAULT_TRACK, help="the track (default: %(default)s)")
    add("--seeds", type=int, default=20, help="of the reference (default: %(default)s)")
    add("--variant-seeds", type=int, default=5, help="of each variant (default: %(default)s)")
    add("--jobs", type=int, default=2, help="trainings at once (%(default)s)")
    add_isolation_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train, score, write leaderboard/calibration/TRACK.json; 1 when an order was not found."""
    console, track = Console(highlight=False), load_track(args.track)
    refuse_record(track)
    layer = settle(args, registry.load_reference(), console)
    seeds = {Variant(REFERENCE): args.seeds} | dict.fromkeys(VARIANTS, args.variant_seeds)
    with create_progress(console) as progress:
        gains = measure(track, seeds, args.jobs, progress)
    found = summarise(track, gains, layer)
    path = FOLDER / f"{track.file.name}.json"
    atomic.write_text(path, found.model_dump_json(indent=1) + "\n")
    atomic.write_text(calibration_page.FILE, calibration_page.text(calibration_page.read_all()))
    show(found, console)
    console.print(f"Written: {path}", soft_wrap=True)
    return 0 if all(order.found for order in found.orders) else 1


def measure(
    track: Track, seeds: dict[Variant, int], jobs: int, progress: Progress
) -> dict[str, list[float]]:
    """Train and score every variant, a few at a time, and return gains by label.

    What an interrupted calibration has finished is taken from there.

    Raises:
        HubError: A worker or scorer failed.
    """
    gains = {v.label: known for v, count in seeds.items() if (known := kept(track, v, count))}
    lacking = [(variant, count) for variant, count in seeds.items() if variant.label not in gains]
    courses = [variant_course(track, *one) for one in lacking]
    measured = Pool(jobs).run_each(courses, progress)
    gains |= {variant.label: found for (variant, _), found in zip(lacking, measured, strict=True)}
    return {variant.label: gains[variant.label] for variant in seeds}


def variant_course(track: Track, variant: Variant, count: int) -> Course[list[float]]:
    """Train and score one variant; keep its gains and return them.

    Raises:
        HubError: Its worker or scorer failed.
    """
    training = train_child(track, variant, count)
    yield [training.task("train", track)]
    _ = training.answer
    scoring = score_child(track, variant, count)
    yield [scoring.task("score", track)]
    gains = gains_of(scoring)
    keep(track, variant, count, gains)
    return gains


def key_of(track: Track, variant: Variant, count: int) -> str:
    """Return what a variant's gains depend on, as a digest."""
    reference = registry.load_reference()
    budget = f"{variant.contribution().file.settings!r} {variant.budget(track.file.steps)}"
    parts = run_key(reference, reference, track, tuple(range(count)), "cpu")
    return hashlib.sha256(f"{parts} {budget}".encode()).hexdigest()


def keep(track: Track, variant: Variant, count: int, gains: list[float]) -> None:
    """Note a variant's gains, so that an interrupted calibration can go on."""
    noted = {"key": key_of(track, variant, count), "gains": gains}
    atomic.write_text(folder_of(track, variant) / GAINS_FILE, json.dumps(noted))


def kept(track: Track, variant: Variant, count: int) -> list[float] | None:
    """Return a variant's gains if they have been measured under the same conditions."""
    file = folder_of(track, variant) / GAINS_FILE
    if not file.is_file():
        return None
    try:
        noted = json.loads(file.read_bytes())
    except ValueError:  # damaged: measured again
        return None
    same = isinstance(noted, dict) and noted.get("key") == key_of(track, variant, count)
    return list(noted["gains"]) if same else None


def folder_of(track: Track, variant: Variant) -> Path:
    """Return where a variant keeps its files."""
    return paths.RUNS / track.file.name / "calibration" / variant.contribution().name


def train_child(track: Track, variant: Variant, count: int) -> OneChild[Answer]:
    """Describe one worker that trains a variant with seeds 0, 1, 2, ..."""
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
    read = Answer.model_validate_json
    return OneChild(label, lambda: Child(label, "harness.worker.main", job, out, limit, read))


def score_child(track: Track, variant: Variant, count: int) -> OneChild[ScoreAnswer]:
    """Describe one scorer of everything that a variant trained."""
    folder = folder_of(track, variant)
    entries = [
        Entry(
            label=variant.label,
            seed=seed,
            delta=seed_folder(folder / "train", seed) / DELTA_FILE,
        )
        for seed in range(count)
    ]
    job = ScoreJob.on(track, entries, folder / "score")
    label = f"scoring {variant.label}"
    read = ScoreAnswer.model_validate_json
    return OneChild(
        label, lambda: Child(label, "harness.scoring.main", job, job.out, SCORING_S, read)
    )


def gains_of(scoring: OneChild[ScoreAnswer]) -> list[float]:
    """Return the gains of a scoring, seed by seed.

    Raises:
        HubError: The scorer failed, or a figure is missing.
    """
    figures = [entry.figures for entry in scoring.answer.entries]
    gains = [one.gain for one in figures if one is not None]
    if not gains or len(gains) != len(figures):
        raise HubError(f"{scoring.label} left out a figure.", where="harness/scoring/main.py")
    return gains


def show(found: Calibration, console: Console) -> None:
    """Print what was found."""
    for label, spread in found.gains.items():
        deviation = f"sd {spread.deviation:.2%}" if spread.deviation is not None else ""
        console.print(
            f"{label:<22} gain {spread.mean:+7.2%}  {deviation}  {len(spread.per_seed)} seeds"
        )
    for seeds, difference in found.detectable.items():
        twins = found.detectable_between_twins.get(seeds)
        close = f", {100 * twins:.2f} between near twins" if twins is not None else ""
        console.print(f"{seeds:>2} seeds show a difference of {100 * difference:.2f} points{close}")
    for order in found.orders:
        low, high = order.interval or (float("nan"), float("nan"))
        word = "as expected" if order.found else "NOT FOUND"
        console.print(f"{order.better} over {order.worse}: {low:+.2%} to {high:+.2%}, {word}")
