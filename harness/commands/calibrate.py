"""``calibrate``: measure how small a difference the protocol can show, once per version of it."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rich.console import Console

from harness import paths
from harness.board import calibration_page
from harness.commands.isolation import add_isolation_arguments, settle
from harness.contributions import registry
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.folders import BASE_RUNS, run_folder
from harness.runs.graph.pool import carry_out
from harness.runs.graph.task import Task
from harness.runs.key import base_key, run_key, shared_parts
from harness.runs.pipeline import study_task
from harness.runs.steps.score import Scoring
from harness.runs.steps.train import Training
from harness.runs.studies.calibration import (
    FOLDER,
    REFERENCE,
    VARIANTS,
    Calibration,
    Variant,
    summarise,
)
from harness.worker.jobs import TrainJob, seed_folder
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.core.progress import Progress, create_progress

GAINS_FILE = "gains.json"


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
    missing = {v: count for v, count in seeds.items() if v.label not in gains}
    base = base_of(track)
    trained = {v: trainings(track, v, range(count)) for v, count in missing.items()}
    scored = {v: scoring(track, v, trained[v], base) for v in missing}
    carry_out(tasks_of(base, trained, scored, progress), jobs, progress)
    for variant, scorer in scored.items():
        if scorer.answer is not None:
            gains[variant.label] = gains_of(scorer)
            keep(track, variant, seeds[variant], gains[variant.label])
    require_ended(base, trained, scored)
    return {variant.label: gains[variant.label] for variant in seeds}


def key_of(track: Track, variant: Variant, count: int) -> str:
    """Return what a variant's gains depend on, as a digest."""
    reference = registry.load_reference()
    budget = f"{variant.contribution().file.settings!r} {variant.budget(track.file.steps)}"
    parts = run_key(reference, reference, track, "cpu")
    return hashlib.sha256(f"{parts} {count} {budget}".encode()).hexdigest()


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


def base_of(track: Track) -> Scoring:
    """Describe the measurement of the untouched base, the one that runs use."""
    key = base_key(track, shared_parts(track, "cpu"))
    folder = run_folder(BASE_RUNS, track.file.name, key)
    return Scoring(f"the base of {track.file.name}", track, folder)


def trainings(track: Track, variant: Variant, seeds: Iterable[int]) -> list[Training]:
    """Describe the training of a variant with each seed."""
    file, folder, found = track.file, folder_of(track, variant) / "train", []
    for seed in seeds:
        out = seed_folder(folder, seed)
        job = TrainJob(
            contribution=variant.contribution(),
            reference=registry.load_reference(),
            base_model=str(track.base_model),
            out=out,
            data_dir=out.with_name(f"{out.name}-pictures"),
            resolution=file.resolution,
            steps=variant.budget(file.steps),
            batch_size=file.batch_size,
            seed=seed,
            prompts=file.texts[:1],
            draws=False,
        )
        label = f"training {variant.label}, seed {seed}"
        found.append(Training(label, job, track.train_dir, file.timeout_s, same_job=True))
    return found


def scoring(track: Track, variant: Variant, trained: list[Training], base: Scoring) -> Scoring:
    """Describe one scorer on everything that a variant trained."""
    label, folder = f"scoring {variant.label}", folder_of(track, variant) / "score"
    pairs = tuple((one, None) for one in trained)
    return Scoring(label, track, folder, base=base, trained=pairs, name=variant.label, fresh=True)


def tasks_of(
    base: Scoring,
    trained: Mapping[Variant, list[Training]],
    scored: Mapping[Variant, Scoring],
    progress: Progress,
) -> list[Task]:
    """Return the graph."""
    first = study_task("base", base, progress)
    tasks = [first]
    for variant, scorer in scored.items():
        own = [study_task("train", one, progress) for one in trained[variant]]
        tasks += [*own, study_task("score", scorer, progress, first, *own)]
    return tasks


def require_ended(
    base: Scoring, trained: Mapping[Variant, list[Training]], scored: Mapping[Variant, Scoring]
) -> None:
    """Make sure that everything ended well.

    Raises:
        HubError: It names the first that did not.
    """
    errors = [(one.label, one.error) for one in (base, *scored.values())]
    errors += [
        (one.label, one.outcome.error)
        for all_of in trained.values()
        for one in all_of
        if one.outcome
    ]
    for label, error in errors:
        if error is not None:
            raise HubError(f"{label}: {error.what}", where=error.where, fix=error.fix)


def gains_of(scorer: Scoring) -> list[float]:
    """Return the gains of a scoring, seed by seed.

    Raises:
        HubError: A figure is missing.
    """
    figures = [entry.figures for entry in scorer.measured.entries]
    gains = [one.gain for one in figures if one is not None]
    if not gains or len(gains) != len(figures):
        raise HubError(f"{scorer.label} left out a figure.", where=str(scorer.folder))
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
