"""What a worker is asked, and what it answers. Written and read as JSON files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from harness.contributions.record import Contribution
from harness.protocol.row import ErrorReport
from toolkit.core.record import Record
from toolkit.core.settings import DatasetConfig, GenerateConfig, LoraConfig, Settings, TrainConfig
from toolkit.drawings.metadata import LoraUse
from toolkit.training_runs.plan import RunPlan

MOST_PARAMETERS = 10**12  # more than any model has: a number from a stranger's process

DELTA_FILE = "delta.safetensors"
ADAPTER_FILE = "adapter.safetensors"


class Job(Record):
    """Common to all jobs: whose hooks, on which base, where to write."""

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
    """Train with one seed, then draw the track's prompts with the contribution's ``generate``."""

    kind: Literal["train"] = "train"
    data_dir: Path = Field(description="folder with Images/ and ImageCaptions/")
    resolution: int
    steps: int
    batch_size: int
    seed: int
    prompts: tuple[str, ...]
    draws: bool = Field(
        default=True, description="whether to draw them; an unmergeable adapter always draws"
    )

    def dataset_config(self) -> DatasetConfig:
        """The contribution's choices about the pictures."""
        return DatasetConfig(**self.settings.dataset.model_dump(), seed=self.seed)

    def train_config(self) -> TrainConfig:
        """The contribution's choices together with the track's budget."""
        return TrainConfig(
            **self.settings.train.model_dump(),
            steps=self.steps,
            batch_size=self.batch_size,
            seed=self.seed,
        )

    def generate_config(self) -> GenerateConfig:
        """The contribution's sampling choices at the track's resolution."""
        return GenerateConfig(
            **self.settings.generate.model_dump(), height=self.resolution, width=self.resolution
        )


class GenerateJob(Job):
    """Load a trained adapter and draw prompts with the contribution's ``generate``."""

    kind: Literal["generate"] = "generate"
    adapter: Path
    lora: LoraConfig = Field(description="what the adapter was made with")
    prompts: tuple[str, ...]
    config: GenerateConfig
    loras: tuple[LoraUse, ...] = Field(default=(), description="files to add, paths absolute")


class FinetuneJob(Job):
    """Train on your own pictures: one long run that can be stopped and continued."""

    kind: Literal["finetune"] = "finetune"
    plan: RunPlan
    pictures: Path = Field(description="pictures in the layout that hooks are promised, absolute")
    device_typed: bool = Field(
        description="False: the device is a guess of the parent, which does not import torch"
    )
    previous: Path | None = Field(description="folder of the job to go on from")

    @property
    def stop_file(self) -> Path:
        """The run ends, after a checkpoint, when this file appears."""
        return self.out / "stop"


AnyJob = Annotated[TrainJob | GenerateJob | FinetuneJob, Field(discriminator="kind")]


class SeedOutcome(Record):
    """What a training yielded; its files lie in the job's folder."""

    seed: int
    losses: tuple[float, ...]
    trainable_parameters: int = Field(ge=0, le=MOST_PARAMETERS)
    changed_modules: int = Field(ge=0, le=MOST_PARAMETERS)
    merge_error: float
    unmergeable: str | None = Field(
        default=None, description="why there is no delta: the adapter is no change of weights"
    )


class DrawnWith(Record):
    """What only the process that drew knows about its pictures."""

    base_sha256: str
    sampler: str = Field(description="class of the scheduler")


class Answer(Record):
    """The worker's last word."""

    error: ErrorReport | None = None
    trained: SeedOutcome | None = None
    drawn_with: DrawnWith | None = None
    stopped: str | None = Field(default=None, description="why a run ended early, as asked")
    notes: tuple[str, ...] = Field(default=(), description="what a person should know")


def picture_file(out: Path, number: int) -> Path:
    """Return where a job keeps the n-th picture of the contribution's own ``generate``."""
    return out / f"own-{number}.png"


def seed_folder(folder: Path, seed: int) -> Path:
    """Return the folder of one seed's job in the folder of all trainings, or scorings, of a run."""
    return folder / f"seed-{seed}"
