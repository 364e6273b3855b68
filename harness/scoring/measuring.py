"""Everything that is measured of one model, prepared once for all models of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from harness.protocol.base_model import require_noise
from harness.protocol.figures import Figures, Loss, PictureFigures
from harness.protocol.track_file import LEARNT_KINDS, GridSpec, Prompt, PromptKind
from harness.scoring.colours import adherence
from harness.scoring.grid import (
    Grid,
    build_grid,
    encode_pictures,
    loss_of,
    predict_noise,
    relative_difference,
)
from harness.scoring.hits import Candidates, binding_hits, nearest_is_taught, on_grey
from harness.scoring.judges import Judge, load_judge
from harness.scoring.likeness import Gallery, memorisation, others_of_stems, similarity
from harness.scoring.pictures import files, read_folder, read_pictures, stems
from harness.scoring.sampler import decode, sample_latents, to_pixel_values
from toolkit.core.errors import EnvironmentFault
from toolkit.images.alike import is_copy, mean_difference, thumbnail
from toolkit.images.sheet import open_picture

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from harness.scoring.jobs import ScoreJob

# Training pictures and unrelated prompts are measured on fewer items than held-out pictures:
# every second timestep, one noise each.
THINNED = 2

# The base draws the taught prompts once more, from other noise: what it would draw anyway. Far from
# the seeds of the prompts, so that no picture meets itself.
RIVAL_SEED = 1_000_000

DRIFT_KINDS: tuple[PromptKind, ...] = ("neighbour", "unrelated")


@dataclass(frozen=True)
class Look:
    """What one model predicted and drew."""

    heldout: Loss
    train: Loss
    noise: dict[PromptKind, Tensor]  # kind of prompt -> predicted noise (N, 4, h, w)
    drawn: list[Image.Image]


@dataclass(frozen=True)
class Known:
    """What is the same for all models of a track: grids, features, and the base on them."""

    heldout_grid: Grid
    train_grid: Grid
    drift_grids: dict[PromptKind, Grid]
    gallery: Gallery | None  # None without a judge
    candidates: Candidates | None
    base: Look


class Bench:
    """Grids, judge and pictures of one track, and the base measured on them.

    Args:
        pipeline: The clean base.
        job: What is scored, and the track's folders.
        known: What an earlier scorer measured of the base; None: it is measured now.

    Raises:
        BaseModelError: The base does not predict noise.
    """

    def __init__(
        self, pipeline: StableDiffusionPipeline, job: ScoreJob, known: Known | None = None
    ) -> None:
        self.pipeline, self.job, self.track = pipeline, job, job.track
        require_noise(pipeline)
        self.learnt = self.track.of_kind(*LEARNT_KINDS)
        self.not_measured: dict[str, str] = {}
        self.train_thumbs = [thumbnail(open_picture(path)) for path in files(job.train_dir)]
        self.judge = self._load_judge()
        self.known = self._measure_base() if known is None else known

    @property
    def base(self) -> Look:
        """What the untouched base predicted and drew."""
        return self.known.base

    @property
    def candidates(self) -> Candidates | None:
        """What a drawn picture may be nearest to; None where hits need none, or without a judge."""
        return self.known.candidates

    def _measure_base(self) -> Known:
        """Prepare everything that needs no trained model; drift is a distance from the base."""
        job, track, spec = self.job, self.track, self.track.grid
        heldout, captions = read_folder(job.heldout_dir, track.resolution)
        train, train_captions = read_folder(job.train_dir, track.resolution)
        heldout_grid = self._grid(heldout, captions, spec)
        train_grid = self._grid(train, train_captions, thinned(spec))
        contrast = torch.empty(0)  # (C, 3, H, W)
        if track.kind == "style":
            contrast, _ = read_folder(job.contrast_dir, track.resolution)
        gallery = self._gallery(heldout, train, contrast)
        candidates = self._candidates(heldout, contrast)
        latents = self._sample(self.pipeline)
        # Unrelated prompts have no pictures: the base's own drawings are noised instead.
        drift_grids = {kind: self._drift_grid(latents, track.of_kind(kind)) for kind in DRIFT_KINDS}
        base = self._look(self.pipeline, latents, heldout_grid, train_grid, drift_grids)
        return Known(heldout_grid, train_grid, drift_grids, gallery, candidates, base)

    def look(self, pipeline: StableDiffusionPipeline) -> Look:
        """Have a model predict on all grids and draw all prompts."""
        known, latents = self.known, self._sample(pipeline)
        return self._look(
            pipeline, latents, known.heldout_grid, known.train_grid, known.drift_grids
        )

    def _look(
        self,
        pipeline: StableDiffusionPipeline,
        latents: Tensor,
        heldout_grid: Grid,
        train_grid: Grid,
        drift_grids: dict[PromptKind, Grid],
    ) -> Look:
        """Have a model predict on all grids, and decode what it drew: ``latents`` (n, 4, h, w)."""
        models = (pipeline.unet, pipeline.text_encoder)
        heldout, train = (
            loss_of(predict_noise(pipeline, *models, grid), grid)
            for grid in (heldout_grid, train_grid)
        )
        noise = {k: predict_noise(pipeline, *models, grid) for k, grid in drift_grids.items()}
        return Look(
            heldout, train, noise, decode(pipeline, latents, self.track.sampling.batch_size)
        )

    def figures(self, look: Look) -> Figures:
        """Return all figures of a model."""
        gain = relative_gain(self.base.heldout, look.heldout)
        train_gain = relative_gain(self.base.train, look.train)
        drift = {k: relative_difference(look.noise[k], self.base.noise[k]) for k in DRIFT_KINDS}
        moved = [
            mean_difference(look.drawn[i], self.base.drawn[i])
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
        alike, nearer, features = None, None, None
        if self.judge is not None and self.known.gallery is not None:
            features = self.judge.embed(pixel_values)  # (n, F)
            alike = similarity(features, prompts, self.known.gallery)
            nearer = memorisation(features, self.known.gallery)
        return PictureFigures(
            similarity=alike,
            prompt_adherence=adherence(pixel_values, prompts, self.track.colours),
            memorisation=nearer,
            copies=sum(copied) / len(copied),
            hits=tuple(self._hits(pixel_values, features, prompts)),
        )

    def _hits(
        self, pixel_values: Tensor, features: Tensor | None, prompts: list[Prompt]
    ) -> list[bool]:
        """Tell which pictures show what was taught; empty when that cannot be measured.

        Args:
            pixel_values: (n, 3, H, W) in [-1, 1].
            features: (n, F) of the same pictures with their backgrounds; None without a judge.
            prompts: n prompts.
        """
        if self.track.kind == "binding":
            return binding_hits(pixel_values, prompts, self.track.colours)
        if self.judge is None or features is None or self.candidates is None:
            return []
        if self.track.colours:  # else the backgrounds stay, and the features are those
            features = self.judge.embed(on_grey(pixel_values))  # (n, F)
        return nearest_is_taught(features, prompts, self.candidates)

    def _grid(self, pixel_values: Tensor, captions: list[str], spec: GridSpec) -> Grid:
        latents = encode_pictures(self.pipeline, pixel_values, spec.batch_size)
        return build_grid(self.pipeline, latents, captions, spec)

    def _drift_grid(self, latents: Tensor, numbers: tuple[int, ...]) -> Grid:
        texts = [self.track.prompts[i].text for i in numbers]
        return build_grid(self.pipeline, latents[list(numbers)], texts, thinned(self.track.grid))

    def _sample(self, pipeline: StableDiffusionPipeline) -> Tensor:
        track = self.track
        return sample_latents(pipeline, track.texts, track.sampling, track.resolution)

    def _load_judge(self) -> Judge | None:
        """Load the judge; one that the user has to bring may be missing, and the row says so."""
        try:
            return load_judge(self.track.judge, self.job.judge_dir, self.job.device)
        except EnvironmentFault as error:
            if self.track.judge.folder is None:
                raise
            why = f"{error.what} {error.fix}"
            names = ["similarity", "memorisation"]
            # Colours need no judge.
            names += ["hit_rate"] if self.track.kind != "binding" else []
            self.not_measured |= dict.fromkeys(names, why)
            return None

    def _candidates(self, heldout: Tensor, contrast: Tensor) -> Candidates | None:
        if self.judge is None or self.track.kind == "binding":
            return None
        track, others_of = self.track, None
        others = heldout[:0]  # (R, 3, H, W)
        if track.kind == "style":
            others, others_of = contrast, others_of_stems(stems(self.job.contrast_dir))
        elif self.job.rivals_dir.is_dir():
            others = read_pictures(self.job.rivals_dir, track.resolution)
        real = torch.cat([heldout, others])
        batch_size = track.sampling.batch_size
        if track.kind == "style":
            # Every drawn picture has the autoencoder's blur, which would hide a style. A subject
            # that the autoencoder cannot show must not count as shown, so it stays sharp.
            latents = encode_pictures(self.pipeline, real, batch_size)  # (P + R, 4, h, w)
            seen = to_pixel_values(decode(self.pipeline, latents, batch_size))
        else:
            drawn = decode(self.pipeline, self._sample_again(), batch_size)
            seen = torch.cat([real, to_pixel_values(drawn)])  # (P + R + n, 3, H, W)
        features = self.judge.embed(on_grey(seen) if track.colours else seen)  # (P + R + n, F)
        sizes = [len(heldout), len(others), len(seen) - len(real)]
        taught, wrong, of_base = torch.split(features, sizes)
        return Candidates(taught, stems(self.job.heldout_dir), wrong, others_of, of_base)

    def _sample_again(self) -> Tensor:
        """Draw the taught prompts with the base from other noise, as latents (n, 4, h, w)."""
        track = self.track
        texts = tuple(track.prompts[i].text for i in self.learnt)
        sampling = track.sampling.model_copy(update={"seed": track.sampling.seed + RIVAL_SEED})
        return sample_latents(self.pipeline, texts, sampling, track.resolution)

    def _gallery(self, heldout: Tensor, train: Tensor, contrast: Tensor) -> Gallery | None:
        if self.judge is None:
            return None
        names = stems(self.job.contrast_dir) if len(contrast) else ()
        return Gallery(
            self.judge.embed(heldout),
            stems(self.job.heldout_dir),
            self.judge.embed(train),
            self.judge.embed(contrast) if len(contrast) else contrast,
            names,
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
