"""What the scorer is asked, and what it answers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from harness.records import ErrorReport, GenerateConfig, GridSpec, Loss, Record


class Entry(Record):
    """One trained model to score: a label, a seed, and the delta a worker wrote."""

    label: str
    seed: int
    delta: Path


class ScoreJob(Record):
    """Score the base and every entry on the held-out pictures of one track."""

    base_model: str
    heldout_dir: Path
    resolution: int
    grid: GridSpec
    prompts: tuple[str, ...]
    sampling: GenerateConfig = Field(description="of the trusted sampler, the same for all")
    entries: tuple[Entry, ...]
    device: str = "cpu"
    threads: int = Field(default=1, ge=1)
    out: Path


class EntryScore(Record):
    """The held-out loss of one entry, or why there is none."""

    label: str
    seed: int
    loss: Loss | None = None
    error: ErrorReport | None = None


class ScoreAnswer(Record):
    """All figures, and the pictures the trusted sampler drew (first seed of each label)."""

    error: ErrorReport | None = None
    base: Loss | None = None
    entries: tuple[EntryScore, ...] = ()
    pictures: dict[str, tuple[str, ...]] = Field(
        default={}, description="label -> PNG files, one per prompt, relative to the job"
    )
