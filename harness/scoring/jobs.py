"""What the scorer is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.protocol.figures import Figures, PictureFigures
from harness.protocol.row import ErrorReport
from harness.protocol.track import Track
from harness.protocol.track_file import TrackFile
from toolkit.core.record import Record

BENCH_FILE = "bench.safetensors"


class BenchFile(Record):
    """The base's measurement, as an earlier scorer left it."""

    path: Path
    sha256: str = Field(description="of the file; another one is refused")


class Entry(Record):
    """One trained model to score: a label, a seed, and what a worker wrote."""

    label: str
    seed: int
    delta: Path | None = Field(description="null: unmergeable, there are only its own pictures")
    again: Path | None = Field(default=None, description="the delta of a second training")
    remade: Path | None = Field(
        default=None, description="the delta that was made again from the saved adapter"
    )
    own_pictures: tuple[Path, ...] = Field(
        default=(), description="drawn by the contribution, one per prompt of the track"
    )


class ScoreJob(Record):
    """Score every entry on the pictures of one track; without entries, the base for later jobs."""

    track: TrackFile
    base_model: str
    judge_dir: Path | None = Field(default=None, description="of a judge that the user brings")
    train_dir: Path
    heldout_dir: Path
    contrast_dir: Path
    rivals_dir: Path
    bench: BenchFile | None = Field(default=None, description="null: the base is measured")
    entries: tuple[Entry, ...]
    device: str = "cpu"
    threads: int = Field(default=1, ge=1)
    out: Path

    @classmethod
    def on(cls, track: Track, entries: Sequence[Entry], out: Path, /, **other: Any) -> ScoreJob:
        """Return the job for a track's own base, judge and pictures.

        Args:
            track: Where the entries were trained.
            entries: What is scored.
            out: The job's own folder.
            other: Fields that differ from the track's.
        """
        own = {
            "track": track.file,
            "base_model": str(track.base_model),
            "judge_dir": track.judge_dir,
            "train_dir": track.train_dir,
            "heldout_dir": track.heldout_dir,
            "contrast_dir": track.contrast_dir,
            "rivals_dir": track.rivals_dir,
        }
        return cls(**{**own, **other, "entries": tuple(entries), "out": out})


class EntryScore(Record):
    """The figures of one entry, or why there are none."""

    label: str
    seed: int
    figures: Figures | None = None
    own_pictures: PictureFigures | None = None
    own_difference: float | None = None
    determinism: float | None = None
    remade_difference: float | None = Field(
        default=None, description="of the delta made again, relative to the delta"
    )
    error: ErrorReport | None = None


class ScoreAnswer(Record):
    """All figures, and the pictures the trusted sampler drew (first seed of each label)."""

    error: ErrorReport | None = None
    base: Figures | None = None
    entries: tuple[EntryScore, ...] = ()
    pictures: dict[str, tuple[str, ...]] = Field(
        default={}, description="label -> PNG files, one per prompt, relative to the job"
    )
    not_measured: dict[str, str] = Field(default={}, description="figure -> why it is null")
    bench_sha256: str | None = Field(
        default=None, description="of the file with the base's measurement, where one was asked for"
    )
