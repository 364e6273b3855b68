"""The resolved settings of a run, known before torch is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from toolkit.core.record import Record
from toolkit.core.settings import DatasetConfig, GenerateConfig, LoraConfig, TrainConfig
from toolkit.lora_files.training import training_metadata

# Settings of a step's computation: they change neither the noise nor what is learnt, so a run may
# go on with others, for instance after it ran out of memory.
FREE_TO_CHANGE = ("gradient_accumulation_steps", "gradient_checkpointing", "fast_layers")

# May change too: the steps that are left follow the schedule of the new number of steps.
OF_THE_SCHEDULE = ("train.steps", "train.lr_warmup_steps")
PICTURES = "pictures"
MOST_NAMED = 5


class RunPlan(Record):
    """One training run, from pictures to files."""

    name: str = Field(description="contribution whose hooks are used")
    data_dir: Path = Field(description="folder of pictures and captions, absolute")
    base: str = Field(description="base model: a folder, a file or a Hugging Face id")
    resolution: int = Field(ge=8, multiple_of=8, description="in pixels")
    preset: str = Field(description="where the settings that were not typed come from")
    dataset: DatasetConfig
    lora: LoraConfig
    train: TrainConfig
    sampling: GenerateConfig
    prompts: tuple[str, ...] = Field(min_length=1, description="drawn as samples")
    validation_share: float = Field(ge=0, lt=1, description="share of the pictures held back")
    validate_every: int = Field(ge=0, description="in steps; 0 never")
    sample_every: int = Field(ge=0, description="in steps; 0 only at the end")
    checkpoint_every: int = Field(ge=0, description="in steps; 0 only when stopped and at the end")
    keep_checkpoints: int = Field(ge=1, description="older ones are removed")
    cache_dir: Path | None = Field(description="where latents are kept for later runs")
    tensorboard: bool = Field(description="write TensorBoard event files too")
    init: Path | None = Field(default=None, description="LoRA file that the training starts from")
    fingerprints: dict[str, str] = Field(description="of the base and of init, by content")
    pictures: dict[str, str] = Field(description="name -> digest of a picture and its caption")

    def identity(self) -> dict[str, Any]:
        """Return what has to be the same for a checkpoint to be gone on from, flat."""
        train = self.train.model_dump(exclude=set(FREE_TO_CHANGE))
        parts = {
            "dataset": self.dataset.model_dump(),
            "lora": self.lora.model_dump(),
            "train": train,
        }
        flat = {f"{part}.{name}": v for part, values in parts.items() for name, v in values.items()}
        flat |= {"name": self.name, "resolution": self.resolution}
        flat |= {"validation_share": self.validation_share}
        return flat | self.fingerprints | {"pictures": self.pictures}

    def summary(self) -> str:
        """Return the settings that people look for, in three lines."""
        train, lora = self.train, self.lora
        init = f"; starting from {self.init}" if self.init else ""
        return (
            f"{self.name}: {self.data_dir} on {self.base} at {self.resolution} px, preset "
            f"{self.preset}, seed {train.seed}\n"
            f"{train.steps} steps of {train.batch_size} pictures; {train.optimizer}, learning rate "
            f"{train.learning_rate:g}, {train.lr_schedule} after {train.lr_warmup_steps} steps of "
            f"warm-up; precision {train.mixed_precision}\n"
            f"rank {lora.rank}, scale {lora.effective_alpha / lora.rank:g}; all settings: "
            f"plan.toml{init}"
        )

    def notes(self, pipeline: Any, base_sha256: str, dataset: Any) -> dict[str, str]:
        """Return what a LoRA file of this run says about its training.

        Args:
            pipeline: For what the base predicts.
            base_sha256: Over the base's weights, taken before the adapter was attached.
            dataset: What was trained on; its length counts.
        """
        return training_metadata(
            self.lora,
            self.train,
            base=self.base,
            base_sha256=base_sha256,
            prediction_type=pipeline.scheduler.config.prediction_type,
            resolution_px=self.resolution,
            pictures=len(dataset),
        )


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say what forbids to go on, one sentence each: what differs between two identities."""
    found = [
        f"{name} was {before.get(name)}, now {now.get(name)}"
        for name in sorted(before.keys() | now.keys())
        if name not in (PICTURES, *OF_THE_SCHEDULE)
        and _plain(before.get(name)) != _plain(now.get(name))
    ]
    old, new = before.get(PICTURES) or {}, now.get(PICTURES) or {}
    for words, names in (
        ("is new", new.keys() - old.keys()),
        ("is not used any more", old.keys() - new.keys()),
        ("or its caption changed", {n for n in new.keys() & old.keys() if new[n] != old[n]}),
    ):
        listed = sorted(names)
        found += [f"{name} {words}" for name in listed[:MOST_NAMED]]
        if len(listed) > MOST_NAMED:
            found.append(f"and so for {len(listed) - MOST_NAMED} more")
    return found


def schedule_note(before: dict[str, Any], now: dict[str, Any], done: int) -> str:
    """Say what going on with another number of steps makes of the schedule; "" if nothing.

    Args:
        before: Identity of the run as it was begun.
        now: Identity of the run as it goes on.
        done: Steps that have been made.
    """
    schedule = now["train.lr_schedule"]
    if schedule == "constant" or all(before.get(n) == now.get(n) for n in OF_THE_SCHEDULE):
        return ""
    steps, planned = now["train.steps"], before.get("train.steps")
    return (
        f"The run was planned for {planned} steps and now goes to {steps}: from step {done + 1} "
        f"the learning rate follows the {schedule} schedule of {steps} steps. The first {done} "
        "steps followed the other one, so the result is not that of one run."
    )


def _plain(value: Any) -> Any:
    """JSON knows no tuples."""
    return list(value) if isinstance(value, tuple) else value
