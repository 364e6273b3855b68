"""Train the reference at rank 1, 4 and 16 on a track, add a random adapter, and tell them apart.

    nox -s base_model -- --fit

Each is trained with five seeds and scored by the hub's own scorer; differences are paired by seed.
The random adapter changes the same tensors by as much as the trained rank 4 does, in a random
direction: what it does to the held-out loss is what *any* change of that size does. Writes
``models/tiny-sd/fit.json``. About two minutes on two cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import statistics
from pathlib import Path
from typing import Any

from rich.console import Console

from harness import paths
from harness.contributions import registry
from harness.contributions.record import Contribution
from harness.protocol import machine
from harness.protocol.statistics.intervals import t_interval
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.sandbox.child import Child, run_children
from harness.scoring.jobs import Entry, ScoreAnswer, ScoreJob
from harness.worker.jobs import DELTA_FILE, Answer, TrainJob, seed_folder
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.core.progress import Progress, create_progress
from toolkit.core.settings import LoraConfig, Settings

RANKS = (1, 4, 16)
SEEDS = (0, 1, 2, 3, 4)
# Half the track's budget: with all of it rank 16 has begun to learn nine pictures by heart, and its
# held-out loss says more about that than about its rank.
STEPS = 75
RANDOM_LABEL = "random adapter"
OUT = paths.RUNS / "fit_for_purpose"


def with_rank(rank: int) -> Contribution:
    """Return the reference with another rank, under a name of its own."""
    reference = registry.load_reference()
    settings = Settings(lora=LoraConfig(rank=rank))
    file = reference.file.model_copy(update={"name": f"rank{rank}", "settings": settings})
    return reference.model_copy(update={"file": file})


def train(track: Track, rank: int) -> Child[Answer]:
    """Start a worker that trains one rank with all seeds."""
    file, out = track.file, OUT / f"rank{rank}"
    job = TrainJob(
        contribution=with_rank(rank),
        reference=registry.load_reference(),
        base_model=str(track.base_model),
        out=out,
        data_dir=track.train_dir,
        resolution=file.resolution,
        steps=file.steps,
        batch_size=file.batch_size,
        seeds=SEEDS,
        prompts=file.texts[:1],
    )
    label = f"rank {rank}"
    return Child(
        label, "harness.worker.main", job, out, 2 * file.timeout_s, Answer.model_validate_json
    )


def write_random_adapters() -> None:
    """Write deltas of the trained rank 4's size in random directions, one per seed."""
    import torch
    from safetensors.torch import load_file, save_file

    for seed in SEEDS:
        trained = load_file(seed_folder(OUT / "rank4", seed) / DELTA_FILE)
        generator = torch.Generator().manual_seed(seed)
        noise = {}
        for name in sorted(trained):
            tensor = torch.randn(trained[name].shape, generator=generator)
            noise[name] = tensor * (trained[name].norm() / tensor.norm())
        folder = seed_folder(OUT / "random", seed)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(folder / DELTA_FILE) as temporary:
            save_file(noise, temporary)


def score(track: Track, progress: Progress) -> ScoreAnswer:
    """Have the hub's scorer measure everything on the held-out pictures.

    Raises:
        HubError: The scorer failed or refused a delta.
    """
    folders = {f"rank {rank}": OUT / f"rank{rank}" for rank in RANKS}
    folders[RANDOM_LABEL] = OUT / "random"
    job = ScoreJob(
        track=track.file,
        base_model=str(track.base_model),
        train_dir=track.train_dir,
        heldout_dir=track.heldout_dir,
        contrast_dir=track.contrast_dir,
        entries=tuple(
            Entry(label=label, seed=seed, delta=seed_folder(folder, seed) / DELTA_FILE)
            for label, folder in folders.items()
            for seed in SEEDS
        ),
        out=OUT / "score",
    )
    child = Child(
        "scorer", "harness.scoring.main", job, job.out, 600, ScoreAnswer.model_validate_json
    )
    run_children([child], progress)
    answer = child.ended().answer
    if answer is None or any(entry.error for entry in answer.entries):
        raise HubError("The scorer failed.", where=str(job.out / "log.txt"))
    return answer


def heldout_losses(answer: ScoreAnswer) -> tuple[float, dict[str, list[float]]]:
    """Return the base's loss and each label's, one per seed.

    Raises:
        HubError: The scorer left out the base.
    """
    if answer.base is None:
        raise HubError("The scorer left out the base.")
    losses: dict[str, list[float]] = {}
    for entry in answer.entries:
        if entry.figures is not None:
            losses.setdefault(entry.label, []).append(entry.figures.heldout.mean)
    return answer.base.heldout.mean, losses


def summarise(track: Track, base: float, losses: dict[str, list[float]]) -> dict[str, Any]:
    """Turn losses into gains per label, and paired differences between neighbours.

    Args:
        track: Whose budget it was.
        base: Held-out loss of the untouched base.
        losses: For each label the held-out losses, one per seed, the same seeds everywhere.

    Returns:
        What is written to ``fit.json``, as numbers and text.
    """
    gains = {label: [(base - x) / base for x in found] for label, found in losses.items()}
    order = sorted(gains, key=lambda label: statistics.fmean(gains[label]))
    pairs = {}
    for worse, better in itertools.pairwise(order):
        differences = [b - a for a, b in zip(gains[worse], gains[better], strict=True)]
        interval = t_interval(differences)
        pairs[f"{better} - {worse}"] = {
            "mean": statistics.fmean(differences),
            "interval_95": interval,
            "told_apart": interval is not None and interval[0] > 0,
        }
    return {
        "track": track.file.name,
        "steps": track.file.steps,
        "batch_size": track.file.batch_size,
        "seeds": SEEDS,
        "base_heldout_loss": base,
        "gain": {
            label: {"mean": statistics.fmean(g), "sd": statistics.stdev(g), "seeds": g}
            for label, g in gains.items()
        },
        "neighbours": pairs,
        "machine": machine.describe_machine(1, "process").model_dump(),
    }


def show(summary: dict[str, Any], console: Console) -> None:
    """Print the figures."""
    for label, gain in summary["gain"].items():
        console.print(f"{label:<16} gain {gain['mean']:+7.2%}  sd {gain['sd']:.2%}")
    for pair, difference in summary["neighbours"].items():
        low, high = difference["interval_95"]
        word = "told apart" if difference["told_apart"] else "NOT told apart"
        console.print(f"{pair:<32} {low:+.2%} to {high:+.2%}  {word}")


def main() -> int:
    """Train, score, summarise; return 1 when two neighbours cannot be told apart."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--track", default=DEFAULT_TRACK)
    parser.add_argument("--steps", type=int, default=STEPS, help="of each training")
    parser.add_argument("--out", type=Path, default=paths.ROOT / "models" / "tiny-sd" / "fit.json")
    options = parser.parse_args()
    console, track = Console(highlight=False), load_track(options.track)
    track = dataclasses.replace(track, file=track.file.model_copy(update={"steps": options.steps}))
    with create_progress(console) as progress:
        # Two at a time: one thread each, on two cores.
        for pair in ((1, 16), (4,)):
            children = [train(track, rank) for rank in pair]
            run_children(children, progress)
            errors = [child.outcome.error for child in children if child.outcome]
            for error in errors:
                if error is not None:
                    raise HubError(error.what, where=error.where, fix=error.fix)
        write_random_adapters()
        answer = score(track, progress)
    summary = summarise(track, *heldout_losses(answer))
    atomic.write_text(options.out, json.dumps(summary, indent=1) + "\n")
    show(summary, console)
    return 0 if all(pair["told_apart"] for pair in summary["neighbours"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
