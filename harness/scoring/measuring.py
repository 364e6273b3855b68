"""Everything that is measured of one model, prepared once for all models of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from harness.protocol.figures import Figures, Loss, PictureFigures
from harness.protocol.track_file import LEARNT_KINDS, GridSpec, PromptKind
from harness.scoring.colours import adherence
from harness.scoring.grid import (
    Grid,
    build_grid,
    encode_pictures,
    loss_of,
    predict_noise,
    relative_difference,
)
from harness.scoring.judges import Judge, load_judge
from harness.scoring.likeness import Gallery, memorisation, similarity
from harness.scoring.pictures import files, read_folder, stems
from harness.scoring.sampler import decode, sample_latents, to_pixel_values
from toolkit.core.errors import BaseModelError, EnvironmentFault
from toolkit.images.alike import is_copy, mean_difference, thumbnail
from toolkit.images.sheet import open_picture

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from harness.scoring.jobs import ScoreJob

# Training pictures and unrelated prompts are measured on fewer items than held-out pictures:
# every second timestep, one noise each.
THINNED = 2

DRIFT_KINDS: tuple[PromptKind, ...] = ("neighbour", "unrelated")


@dataclass(frozen=True)
class Look:
    """What one model predicted and drew."""

    heldout: Loss
    train: Loss
    noise: dict[PromptKind, Tensor]  # kind of prompt -> predicted noise (N, 4, h, w)
    drawn: list[Image.Image]


@dataclass(frozen=True)
class Grids:
    """What every model of a track predicts on."""

    heldout: Grid
    train: Grid
    drift: dict[PromptKind, Grid]


@dataclass(frozen=True)
class Known:
    """What is the same for all models of a track: grids, features, and the base on them."""

    grids: Grids
    gallery: Gallery | None
    base: Look


def measure_base(pipeline: StableDiffusionPipeline, job: ScoreJob) -> Known:
    """Prepare grids and features, and measure the base: drift is a distance from it.

    Raises:
        BaseModelError: The base does not predict noise.
    """
    track, spec = job.track, job.track.grid
    kind = pipeline.scheduler.config.get("prediction_type", "epsilon")
    if kind != "epsilon":
        raise BaseModelError(f"The scorer knows bases that predict noise, not {kind!r}.")
    heldout, captions = read_folder(job.heldout_dir, track.resolution)
    train, train_captions = read_folder(job.train_dir, track.resolution)

    def grid_of(pixel_values: Tensor, texts: list[str], spec: GridSpec) -> Grid:
        latents = encode_pictures(pipeline, pixel_values, spec.batch_size)
        return build_grid(pipeline, latents, texts, spec)

    latents = sample_latents(pipeline, track.texts, track.sampling, track.resolution)
    # Unrelated prompts have no pictures: the base's own drawings are noised instead.
    drift = {
        kind: build_grid(
            pipeline,
            latents[list(track.of_kind(kind))],
            [track.prompts[i].text for i in track.of_kind(kind)],
            thinned(spec),
        )
        for kind in DRIFT_KINDS
    }
    grids = Grids(
        grid_of(heldout, captions, spec), grid_of(train, train_captions, thinned(spec)), drift
    )
    judge, _ = find_judge(job)
    gallery = None if judge is None else gallery_of(judge, job, heldout, train)
    return Known(grids, gallery, look_at(pipeline, grids, latents, track.sampling.batch_size))


def look_at(
    pipeline: StableDiffusionPipeline, grids: Grids, latents: Tensor, batch_size: int
) -> Look:
    """Have a model predict on all grids, and decode what it drew: ``latents`` (n, 4, h, w)."""
    models = (pipeline.unet, pipeline.text_encoder)
    heldout, train = (
        loss_of(predict_noise(pipeline, *models, grid), grid)
        for grid in (grids.heldout, grids.train)
    )
    noise = {k: predict_noise(pipeline, *models, grid) for k, grid in grids.drift.items()}
    return Look(heldout, train, noise, decode(pipeline, latents, batch_size))


def find_judge(job: ScoreJob) -> tuple[Judge | None, dict[str, str]]:
    """Load the judge; one that the user has to bring may be missing: which figures lack then."""
    try:
        return load_judge(job.track.judge, job.judge_dir, job.device), {}
    except EnvironmentFault as error:
        if job.track.judge.folder is None:
            raise
        why = f"{error.what} {error.fix}"
        return None, {"similarity": why, "memorisation": why}


def gallery_of(judge: Judge, job: ScoreJob, heldout: Tensor, train: Tensor) -> Gallery:
    """Return the features of the hub's own pictures, (N, 3, H, W) each."""
    contrast, names = torch.empty(0), tuple[str, ...]()
    if job.track.kind == "style":
        values, _ = read_folder(job.contrast_dir, job.track.resolution)
        contrast, names = judge.embed(values), stems(job.contrast_dir)
    heldout_features, train_features = judge.embed(heldout), judge.embed(train)
    return Gallery(heldout_features, stems(job.heldout_dir), train_features, contrast, names)


class Bench:
    """Grids, judge and pictures of one track, and the base measured on them."""

    def __init__(self, pipeline: StableDiffusionPipeline, job: ScoreJob, known: Known) -> None:
        self.known, self.track = known, job.track
        self.learnt = self.track.of_kind(*LEARNT_KINDS)
        self.train_thumbs = [thumbnail(open_picture(path)) for path in files(job.train_dir)]
        self.judge, self.not_measured = find_judge(job)

    def look(self, pipeline: StableDiffusionPipeline) -> Look:
        """Have a model predict on all grids and draw all prompts."""
        track = self.track
        latents = sample_latents(pipeline, track.texts, track.sampling, track.resolution)
        return look_at(pipeline, self.known.grids, latents, track.sampling.batch_size)

    def figures(self, look: Look) -> Figures:
        """Return all figures of a model."""
        gain = relative_gain(self.known.base.heldout, look.heldout)
        train_gain = relative_gain(self.known.base.train, look.train)
        drift = {
            k: relative_difference(look.noise[k], self.known.base.noise[k]) for k in DRIFT_KINDS
        }
        moved = [
            mean_difference(look.drawn[i], self.known.base.drawn[i])
            for i in self.track.of_kind("unrelated")
        ]
        return Figures(
            heldout=look.heldout,
            gain=gain,
            train_gain=train_gain,
            overfit_gap=train_gain - gain,
            drift=drift["unrelated"],
            class_drift=drift["neighbour"],
            picture_drift=sum(moved) / len(moved),
            pictures=self.judge_pictures(look.drawn),
        )

    def judge_pictures(self, drawn: list[Image.Image]) -> PictureFigures:
        """Judge the pictures of the taught prompts; ``drawn`` holds one picture per prompt."""
        pictures = [drawn[i] for i in self.learnt]
        prompts = [self.track.prompts[i] for i in self.learnt]
        pixel_values = to_pixel_values(pictures)  # (n, 3, H, W)
        copied = [is_copy(thumbnail(picture), self.train_thumbs) for picture in pictures]
        alike, nearer = None, None
        if self.judge is not None and self.known.gallery is not None:
            features = self.judge.embed(pixel_values)  # (n, F)
            alike = similarity(features, prompts, self.known.gallery)
            nearer = memorisation(features, self.known.gallery)
        return PictureFigures(
            similarity=alike,
            prompt_adherence=adherence(pixel_values, prompts, self.track.colours),
            memorisation=nearer,
            copies=sum(copied) / len(copied),
        )


def thinned(spec: GridSpec) -> GridSpec:
    """Return a smaller grid of the same range."""
    fewer = spec.timesteps[::THINNED]
    if len({t * 3 // 1000 for t in fewer}) < 3:  # every band needs one
        fewer = spec.timesteps
    return spec.model_copy(update={"timesteps": fewer, "noises_per_picture": 1})


def relative_gain(base: Loss, own: Loss) -> float:
    """Return (base - own) / base."""
    return (base.mean - own.mean) / base.mean
