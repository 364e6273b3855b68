"""Train contributions on one split of the photos and measure them on both held-out halves.

In one process, with the hub's own hooks and its own grid, but without what a contest does besides:
no gate, no isolation, no drawings.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from harness.contributions import registry
from harness.protocol.base_model import EMBEDDED_BASE, load_pipeline
from harness.protocol.track_file import GridSpec
from harness.runs.own.make import write_side
from harness.runs.own.split import groups_of_alike, place_of, split
from harness.sandbox.events import EventWriter
from harness.scoring.grid import Grid, build_grid, encode_pictures, loss_of, predict_noise
from harness.scoring.pictures import read_folder
from harness.worker.fresh_copy import fresh_copy
from harness.worker.hooks import load_hooks
from harness.worker.jobs import TrainJob
from harness.worker.training import train_one
from tests.proofs.held_up.judging import Half, Line
from toolkit.core.settings import DatasetConfig
from toolkit.picture_sets.examine import Facts, examine
from toolkit.picture_sets.layouts import read_folder as read_set

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

NAMES = ("reference", "EveryLayer", "TextEncoderToo")
SEEDS = (0, 1)
STEPS, BATCH_SIZE, RESOLUTION = 25, 4, 64
HELDOUT_SHARE = 0.5
GRID = GridSpec(timesteps=tuple(range(50, 1000, 100)), noises_per_picture=1, seed=20261122)


class Bench:
    """The base and the photos, loaded once."""

    def __init__(self, pictures: Path) -> None:
        torch.set_num_threads(1)
        self.base = load_pipeline(EMBEDDED_BASE)
        sides = [read_set(pictures / side).pictures for side in ("train", "heldout")]
        self.facts, _ = examine([picture for side in sides for picture in side])

    def run(self, number: int, folder: Path) -> Line:
        """Divide the photos, train all contributions, measure them.

        Args:
            number: Of the split.
            folder: For the files of the split.
        """
        parts = split(self.facts, seed=number, share=HELDOUT_SHARE)
        write_side(parts.taught, DatasetConfig(), RESOLUTION, folder / "train")
        halves = [
            self.grid(half, folder / name)
            for half, name in zip(halved(parts.heldout, number), "ab", strict=True)
        ]
        found = [Half(self.losses(self.base, grid), {}) for grid in halves]
        for name in NAMES:
            per_seed = [self.train(name, seed, folder, halves) for seed in SEEDS]
            for half, one in enumerate(found):
                one.losses[name] = [losses[half] for losses in per_seed]
        return Line(number, *found)

    def grid(self, side: list[Facts], folder: Path) -> Grid:
        """Prepare the held-out loss of some pictures."""
        write_side(side, DatasetConfig(), RESOLUTION, folder)
        pixel_values, captions = read_folder(folder, RESOLUTION)
        latents = encode_pictures(self.base, pixel_values, GRID.batch_size)
        return build_grid(self.base, latents, captions, GRID)

    def train(self, name: str, seed: int, folder: Path, halves: list[Grid]) -> list[list[float]]:
        """Train one contribution with one seed; return its losses on both halves."""
        reference = registry.load_reference()
        contribution = registry.load_any(name)
        job = TrainJob(
            contribution=contribution,
            reference=reference,
            base_model=str(EMBEDDED_BASE),
            out=folder / f"{name}-{seed}",
            data_dir=folder / "train",
            resolution=RESOLUTION,
            steps=STEPS,
            batch_size=BATCH_SIZE,
            seeds=(seed,),
            prompts=("a photo",),
        )
        job.out.mkdir()
        hooks = load_hooks(contribution, reference)
        with EventWriter(job.out / "events.jsonl") as events:
            trained = train_one(job, hooks, fresh_copy(self.base), seed, events, (0.0, 1.0))
        return [self.losses(trained.pipeline, grid) for grid in halves]

    @torch.no_grad()
    def losses(self, pipeline: StableDiffusionPipeline, grid: Grid) -> list[float]:
        """Return the held-out loss of each picture of a half."""
        models = (pipeline.unet.eval(), pipeline.text_encoder.eval())
        return [
            round(loss, 7)
            for loss in loss_of(predict_noise(pipeline, *models, grid), grid).pictures
        ]


def halved(heldout: tuple[Facts, ...], number: int) -> list[list[Facts]]:
    """Divide held-out pictures into two halves; what looks alike stays together."""
    groups = sorted(groups_of_alike(heldout), key=lambda group: place_of(group, 1000 + number))
    halves: list[list[Facts]] = [[], []]
    for group in groups:
        min(halves, key=len).extend(group)
    return halves
