"""Read a track: what everybody trains on, and what everybody is judged by."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness import paths
from harness.base_model import model_hash
from harness.errors import UsageError
from harness.records import TrackFile
from harness.registry import content_hash

DEFAULT_TRACK = "robot"


@dataclass(frozen=True)
class Track:
    """A track.toml and its folder."""

    file: TrackFile
    folder: Path

    @property
    def train_dir(self) -> Path:
        """The pictures that workers see: ``Images/`` and ``ImageCaptions/``."""
        return self.folder / "train"

    @property
    def heldout_dir(self) -> Path:
        """The pictures that only the scorer sees."""
        return self.folder / "heldout"

    @property
    def base_model(self) -> Path:
        """Folder of the base model."""
        return paths.ROOT / self.file.base_model

    def protocol_hash(self) -> str:
        """Identify what a figure depends on besides the contribution: rules, pictures, base."""
        parts = (content_hash(self.folder), model_hash(self.base_model))
        return f"sha256:{hashlib.sha256('|'.join(parts).encode()).hexdigest()}"


def track_names() -> list[str]:
    """Return the names of all tracks."""
    return sorted(p.parent.name for p in paths.TRACKS.glob("*/track.toml"))


def load_track(name: str) -> Track:
    """Read ``tracks/<name>/track.toml``.

    Raises:
        UsageError: There is no such track, or its file has faults.
    """
    folder = paths.TRACKS / name
    file = folder / "track.toml"
    if name not in track_names():
        raise UsageError(
            f"There is no track named {name!r}.",
            where="tracks/",
            fix=f"Choose one of: {', '.join(track_names())}",
        )
    try:
        with file.open("rb") as handle:
            return Track(TrackFile.model_validate(tomllib.load(handle)), folder)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise UsageError(
            f"The track's description has faults: {error}",
            where=f"tracks/{name}/track.toml",
            fix="Compare it with TrackFile in harness/records.py.",
        ) from error
