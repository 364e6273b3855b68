"""What a worker is asked, and what it answers. Written and read as JSON files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from harness.contributions.record import Contribution
from harness.protocol.row import ErrorReport
from toolkit.core.record import Record
from toolkit.core.settings import (
    DatasetConfig,
    GenerateConfig,
    HookName,
    LoraConfig,
    Settings,
    TrainConfig,
)
from toolkit.drawings.metadata import LoraUse
from toolkit.training_runs.plan import RunPlan

MOST_COUNTED = 10**9  # likewise
MOST_PARAMETERS = 10**12  # more than any model has: a number from a stranger's process

DELTA_FILE = "delta.safetensors"
ADAPTER_FILE = "adapter.safetensors"


class Job(Record):
    """Common to all jobs: whose hooks, on which base, where to write."""

    # Whether its command starts this one child: then a nursery would import more than it needs.
    alone: ClassVar[bool] = False
    contribution: Contribution
    reference: Contribution
    base_model: str = Field(description="folder of the base, absolute")
    device: str = "cpu"
    threads: int = Field(default=1, ge=1)
    out: Path = Field(description="the job's own folder; nothing is written elsewhere")

    def lora_config(self) -> LoraConfig:
        """The adapter settings that the contribution asks for."""
        return self.settings.lora

    @property
    def settings(self) -> Settings:
        """The settings tables of the contribution."""
        return self.contribution.file.settings


class TrainJob(Job):
    """Train once per seed, then draw the track's prompts with the contribution's ``generate``."""

    kind: Literal["train"] = "train"
    data_dir: Path = Field(description="folder with Images/ and ImageCaptions/")
    resolution: int
    steps: int
    batch_size: int
    seeds: tuple[int, ...]
    prompts: tuple[str, ...] = Field(description="none: another job draws")
    scored: bool = Field(
        default=False,
        description="the hub's meter runs, the training is watched, and another job makes the "
        "change of weights again from the adapter's file",
    )

    def dataset_config(self, seed: int) -> DatasetConfig:
        """The contribution's choices about the pictures."""
        return DatasetConfig(**self.settings.dataset.model_dump(), seed=seed)

    def train_config(self, seed: int) -> TrainConfig:
        """The contribution's choices together with the track's budget."""
        return TrainConfig(
            **self.settings.train.model_dump(),
            steps=self.steps,
            batch_size=self.batch_size,
            seed=seed,
        )

    def generate_config(self) -> GenerateConfig:
        """The contribution's sampling choices at the track's resolution."""
        return drawn_at(self.settings, self.resolution)


class RemakeJob(Job):
    """Make the change of weights again from saved adapters, and draw: nothing is trained."""

    kind: Literal["remake"] = "remake"
    seeds: tuple[int, ...]
    adapters: tuple[Path, ...] = Field(description="the saved adapter of each seed")
    unmergeable: tuple[int, ...] = Field(description="seeds whose adapter is no change of weights")
    drawn: tuple[int, ...] = Field(description="seeds whose adapter draws the prompts")
    prompts: tuple[str, ...]
    resolution: int

    def generate_config(self) -> GenerateConfig:
        """The contribution's sampling choices at the track's resolution."""
        return drawn_at(self.settings, self.resolution)


class GenerateJob(Job):
    """Load a trained adapter and draw prompts with the contribution's ``generate``."""

    alone = True
    kind: Literal["generate"] = "generate"
    adapter: Path
    lora: LoraConfig = Field(description="what the adapter was made with")
    prompts: tuple[str, ...]
    config: GenerateConfig
    typed: dict[str, str] = Field(default={}, description="field of config -> option that set it")
    loras: tuple[LoraUse, ...] = Field(default=(), description="files to add, paths absolute")


class FinetuneJob(Job):
    """Train on your own pictures: one long run that can be stopped and continued."""

    alone = True
    kind: Literal["finetune"] = "finetune"
    plan: RunPlan
    pictures: Path = Field(description="pictures in the layout that hooks are promised, absolute")
    device_typed: bool = Field(
        description="False: the device is a guess of the parent, which does not import torch"
    )
    previous: Path | None = Field(description="folder of the job to go on from")
    typed: dict[HookName, dict[str, str]] = Field(
        default={}, description="hook -> field of its settings -> option that set it"
    )

    @property
    def stop_file(self) -> Path:
        """The run ends, after a checkpoint, when this file appears."""
        return self.out / "stop"


AnyJob = Annotated[TrainJob | RemakeJob | GenerateJob | FinetuneJob, Field(discriminator="kind")]


def drawn_at(settings: Settings, side: int) -> GenerateConfig:
    """Return a contribution's sampling choices for pictures of a size, pixels."""
    return GenerateConfig(**settings.generate.model_dump(), height=side, width=side)


class Watched(Record):
    """What was counted while one seed trained; by code in the contribution's own process."""

    steps: int = Field(ge=0, le=MOST_COUNTED, description="optimiser steps, in rounds")
    calls: int = Field(ge=0, le=MOST_COUNTED, description="calls of the U-Net")
    trained_pictures: int = Field(
        ge=0, le=MOST_COUNTED, description="pictures through the U-Net with gradients"
    )
    other_pictures: int = Field(
        ge=0, le=MOST_COUNTED, description="pictures through the U-Net without gradients"
    )
    outside: int = Field(
        ge=0,
        le=MOST_COUNTED,
        description="optimiser steps and U-Net calls with gradients outside the train hook",
    )
    rates: tuple[float, float] | None = Field(
        description="lowest and highest learning rate of a step; null without torch's optimisers"
    )
    attached: float = Field(
        ge=0,
        description="relative change of the base's prediction by the untrained adapter",
    )
    hook_seconds: dict[HookName, float] = Field(
        default={}, description="hook -> processor time of this process in it"
    )


class SeedOutcome(Record):
    """What one seed yielded; the files lie in ``seed-<n>/`` of the job's folder."""

    seed: int
    losses: tuple[float, ...]
    trainable_parameters: int = Field(ge=0, le=MOST_PARAMETERS)
    changed_modules: int = Field(ge=0, le=MOST_PARAMETERS)
    merge_error: float
    unmergeable: str | None = Field(
        default=None, description="why there is no delta: the adapter is no change of weights"
    )
    watched: Watched | None = Field(default=None, description="null where nothing was counted")


class DrawnWith(Record):
    """What only the process that drew knows about its pictures."""

    base_sha256: str
    sampler: str = Field(description="class of the scheduler")


class Answer(Record):
    """The worker's last word."""

    error: ErrorReport | None = None
    seeds: tuple[SeedOutcome, ...] = ()
    drawn_with: DrawnWith | None = None
    stopped: str | None = Field(default=None, description="why a run ended early, as asked")
    notes: tuple[str, ...] = Field(default=(), description="what a person should know")


def picture_file(out: Path, number: int) -> Path:
    """Return where a job keeps the n-th picture of the contribution's own ``generate``."""
    return out / f"own-{number}.png"


def seed_folder(out: Path, seed: int) -> Path:
    """Return where a training job keeps the files of one seed."""
    return out / f"seed-{seed}"


def again_folder(out: Path, seed: int) -> Path:
    """Return where the delta of a seed that was trained a second time is kept."""
    return out / f"again-{seed}"


def remade_folder(out: Path, seed: int) -> Path:
    """Return where the delta is kept that was made again from the saved adapter of a seed."""
    return out / f"remade-{seed}"
