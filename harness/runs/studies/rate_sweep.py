"""Choose a learning rate on training-side data: held-out pictures never have a say in it.

A third of the track's training pictures is held back. Each rate trains on the rest for the track's
budget, and the trusted scorer measures the loss on the held-back ones, on the same frozen grid as
the board's. docs/learning_rates.md is the rule in words.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from harness import paths
from harness.contributions.record import Contribution
from harness.protocol.base_model import model_hash
from harness.protocol.track import DEFAULT_TRACK, Track
from harness.protocol.track_file import PROMPT_KINDS, TrackFile
from toolkit.core.errors import UsageError
from toolkit.core.hashing import content_hash
from toolkit.core.record import Record

FOLDER = paths.ROOT / "leaderboard" / "sweeps"
RATES = (3e-4, 1e-3, 3e-3, 1e-2)

# Every third picture, in the order of their names, is held back: the third, the sixth and so on.
EVERY = 3


class Trial(Record):
    """One learning rate and what came of it."""

    learning_rate: float = Field(gt=0, le=1)
    losses: tuple[float, ...] = Field(
        default=(), description="on the held-back pictures, one per seed; empty when it failed"
    )
    fault: str | None = Field(default=None, description="why there is no loss")

    @property
    def mean(self) -> float:
        """The mean loss over seeds; infinite when there is none."""
        return sum(self.losses) / len(self.losses) if self.losses else float("inf")


class Sweep(Record):
    """What a sweep found. One file per contribution, in leaderboard/sweeps/."""

    contribution: str
    track: str
    subject_hash: str = Field(description="over code and settings, without the learning rate")
    bench_hash: str = Field(description="over training pictures, budget, grid and base")
    reference_hash: str = Field(description="of src/ at the time, for information")
    steps: int
    batch_size: int
    seeds: tuple[int, ...]
    held_back: tuple[str, ...] = Field(description="pictures that were measured on")
    base_loss: float = Field(description="of the untrained base on them")
    trials: tuple[Trial, ...] = Field(min_length=2, description="ascending by rate")
    chosen: float = Field(description="the rate with the lowest mean loss")
    at_edge: bool = Field(description="the best was the lowest or highest rate tried")
    created_at: datetime.datetime

    def fits(self, other_subject: str, other_bench: str, seeds: Sequence[int]) -> bool:
        """Tell whether its trials still hold for a contribution as it is now."""
        return (self.subject_hash, self.bench_hash, self.seeds) == (
            other_subject,
            other_bench,
            tuple(seeds),
        )


def sweep_file(contribution: str, track: str) -> Path:
    """Return where a sweep is kept: the default track's name is left out."""
    stem = contribution if track == DEFAULT_TRACK else f"{contribution}.{track}"
    return FOLDER / f"{stem}.json"


def read_sweep(path: Path) -> Sweep | None:
    """Read a sweep; None when there is none.

    Raises:
        UsageError: The file is no sweep of this version.
    """
    if not path.is_file():
        return None
    try:
        return Sweep.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise UsageError(
            f"This is no sweep: {error}", where=str(path), fix="Remove it; it is made anew."
        ) from error


def subject_hash(contribution: Contribution) -> str:
    """Identify everything about a contribution that a sweep depends on, but the rate itself.

    Only settings that differ from their defaults: a new setting of the hub makes no sweep old.
    """
    file = contribution.file
    settings = {
        name: getattr(file.settings, name).model_dump(
            mode="json", exclude={"learning_rate"}, exclude_defaults=True
        )
        for name in ("dataset", "lora", "train")
    }
    code = content_hash(paths.ROOT / contribution.path / "src")
    return digest(json.dumps(settings, sort_keys=True), repr(file.hooks), code)


def bench_hash(track: Track) -> str:
    """Identify what a loss depends on besides the contribution."""
    file = track.file
    budget = (file.steps, file.batch_size, file.resolution, EVERY)
    pictures = content_hash(track.train_dir)
    return digest(repr(budget), file.grid.model_dump_json(), pictures, model_hash(track.base_model))


def digest(*parts: str) -> str:
    """Return ``sha256:...`` over some texts."""
    return f"sha256:{hashlib.sha256('|'.join(parts).encode()).hexdigest()}"


def split(source: Path, out: Path) -> tuple[str, ...]:
    """Copy training pictures into ``out/train`` and ``out/heldback``; return the held-back names.

    Raises:
        UsageError: There are fewer than three pictures.
    """
    pictures = sorted((source / "Images").iterdir())
    if len(pictures) < EVERY:
        raise UsageError(
            f"A sweep holds back every third training picture; there are only {len(pictures)}.",
            where=str(source / "Images"),
            fix="Choose a track with at least three training pictures.",
        )
    held_back = []
    for number, picture in enumerate(pictures):
        kept_out = number % EVERY == EVERY - 1
        target = out / ("heldback" if kept_out else "train")
        for part, name in (("Images", picture.name), ("ImageCaptions", f"{picture.stem}.txt")):
            (target / part).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part / name, target / part / name)
        if kept_out:
            held_back.append(picture.name)
    return tuple(held_back)


def lean(file: TrackFile) -> TrackFile:
    """Return a track that draws next to nothing: a sweep looks at the loss alone."""
    prompts = [file.prompts[file.of_kind(kind)[0]] for kind in PROMPT_KINDS]
    return file.model_copy(
        update={
            # `like` names a held-out picture, and here there are others.
            "prompts": tuple(prompt.model_copy(update={"like": None}) for prompt in prompts),
            "sampling": file.sampling.model_copy(update={"num_inference_steps": 1}),
            # The style's contrast pictures belong to the held-out ones.
            "kind": "subject" if file.kind == "style" else file.kind,
        }
    )


def with_rate(contribution: Contribution, rate: float) -> Contribution:
    """Return a contribution with another learning rate."""
    settings = contribution.file.settings
    train = settings.train.model_copy(update={"learning_rate": rate})
    changed = settings.model_copy(update={"train": train})
    file = contribution.file.model_copy(update={"settings": changed})
    return contribution.model_copy(update={"file": file})


def choose(trials: Sequence[Trial]) -> tuple[float, bool]:
    """Return the rate with the lowest mean loss, and whether it is the lowest or highest tried.

    Raises:
        UsageError: No rate trained, or the rate has no influence.
    """
    good = [trial for trial in trials if trial.losses]
    if not good:
        faults = "; ".join(f"{trial.learning_rate:g}: {trial.fault}" for trial in trials)
        raise UsageError(f"No learning rate led to a trained adapter: {faults}")
    if len(good) > 1 and len({trial.losses for trial in good}) == 1:
        raise UsageError(
            "Every learning rate gave exactly the same loss: this `train` does not read "
            "config.learning_rate, so there is nothing to choose.",
            fix="Read config.learning_rate in `train`, or leave the contribution as it is.",
        )
    best = min(good, key=lambda trial: trial.mean).learning_rate
    tried = [trial.learning_rate for trial in trials]
    return best, best in (min(tried), max(tried))
