"""Train the reference at rank 1, 4 and 16 on a track, add a random adapter, and tell them apart.

    nox -s base_model -- --fit

Each is trained with five seeds and scored as ``nox -s calibrate`` does it; differences are paired
by seed. The random adapter changes the same tensors by as much as the trained rank 4 does, in a
random direction: what it does to the held-out loss is what *any* change of that size does. Writes
``models/tiny-sd/fit.json``. About two minutes on two cores.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from harness import paths
from harness.commands.calibrate import folder_of, gains_of, measure, score_child
from harness.protocol.machine import describe_machine
from harness.protocol.track import DEFAULT_TRACK, Track, load_track
from harness.runs.graph.pool import Pool
from harness.runs.studies.calibration import Variant, order
from harness.worker.jobs import DELTA_FILE, seed_folder
from toolkit.core import atomic
from toolkit.core.errors import HubError
from toolkit.core.progress import create_progress

# Two at a time are trained: one thread each, on two cores.
RANKS = [Variant(f"rank {rank}", rank=rank) for rank in (1, 16, 4)]
RANDOM = Variant("random adapter")
SEEDS = (0, 1, 2, 3, 4)
# Half the track's budget: with all of it rank 16 has begun to learn nine pictures by heart, and its
# held-out loss says more about that than about its rank.
STEPS = 75


def write_random_adapters(track: Track) -> None:
    """Write deltas of the trained rank 4's size in random directions, one per seed."""
    import torch
    from safetensors.torch import load_file, save_file

    for seed in SEEDS:
        trained = load_file(seed_folder(folder_of(track, RANKS[-1]) / "train", seed) / DELTA_FILE)
        generator = torch.Generator().manual_seed(seed)
        noise = {}
        for name in sorted(trained):
            tensor = torch.randn(trained[name].shape, generator=generator)
            noise[name] = tensor * (trained[name].norm() / tensor.norm())
        folder = seed_folder(folder_of(track, RANDOM) / "train", seed)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(folder / DELTA_FILE) as temporary:
            save_file(noise, temporary)


def summarise(track: Track, base: float, gains: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return what is written to ``fit.json``: gains, and paired differences between neighbours.

    Args:
        track: Whose budget it was.
        base: Held-out loss of the untouched base.
        gains: For each label one gain per seed, the same seeds everywhere.
    """
    ranked = sorted(gains, key=lambda label: statistics.fmean(gains[label]))
    pairs = [order(better, worse, gains) for worse, better in itertools.pairwise(ranked)]
    return {
        "track": track.file.name,
        "steps": track.file.steps,
        "batch_size": track.file.batch_size,
        "seeds": SEEDS,
        "base_heldout_loss": base,
        "gain": {
            label: {"mean": statistics.fmean(g), "sd": statistics.stdev(g), "seeds": list(g)}
            for label, g in gains.items()
        },
        "neighbours": {
            f"{pair.better} - {pair.worse}": {
                "mean": pair.difference,
                "interval_95": pair.interval,
                "told_apart": pair.found,
            }
            for pair in pairs
        },
        "machine": describe_machine(1, "process").model_dump(),
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
        gains = measure(track, dict.fromkeys(RANKS, len(SEEDS)), 2, progress)
        write_random_adapters(track)
        scoring = score_child(track, RANDOM, len(SEEDS))
        Pool().run_tasks([scoring.task("score", track)], progress)
    answer = scoring.answer
    if answer.base is None:
        raise HubError("The scorer left out the base.")
    gains[RANDOM.label] = gains_of(scoring)
    summary = summarise(track, answer.base.heldout.mean, gains)
    atomic.write_text(options.out, json.dumps(summary, indent=1) + "\n")
    show(summary, console)
    return 0 if all(pair["told_apart"] for pair in summary["neighbours"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
