"""Read a track: what contributions train on, and how they are judged.

The hub's tracks lie in tracks/; one that `nox -s track` made of a person's own pictures lies below
runs/, outside git, and never has a place on the board.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness import paths
from harness.protocol.base_model import model_hash
from harness.protocol.track_file import TrackFile
from toolkit.core.errors import UsageError
from toolkit.core.hashing import content_hash
from toolkit.core.record import Record
from toolkit.core.validation import faults_of

DEFAULT_TRACK = "robot"
BOARD_FILE = "board.toml"  # in tracks/

# Folder with sets that only the board's job has: `<track>/exchanged` and `<track>/heldout2`.
BOARD_SETS = "HUB_BOARD_SETS"

# Goes up whenever a figure means something else than before: rows of another version are shown as
# old and never compared with newer ones. `docs/protocol.md` has the list of versions.
PROTOCOL_VERSION = 3


class BoardFile(Record):
    """The file ``tracks/board.toml``."""

    tracks: tuple[str, ...]


@dataclass(frozen=True)
class Track:
    """A track.toml and its folder."""

    file: TrackFile
    folder: Path

    @property
    def train_dir(self) -> Path:
        """The pictures that workers see: ``Images/`` and ``ImageCaptions/``."""
        return self.pictures / "train"

    @property
    def heldout_dir(self) -> Path:
        """The pictures that only the scorer sees."""
        return self.pictures / "heldout"

    @property
    def contrast_dir(self) -> Path:
        """The held-out things in other styles; there is one only where a style is taught."""
        return self.pictures / "contrast"

    @property
    def rivals_dir(self) -> Path:
        """Other things of the subject's kind, which only the scorer sees; a track may have none."""
        return self.pictures / "rivals"

    @property
    def exchanged(self) -> Track | None:
        """The same task with pictures of another thing of its kind; None: there are none.

        Only losses are measured on it. No worker is ever told where its pictures lie.
        """
        folder = self.board_sets / "exchanged"
        if not folder.is_dir():
            return None
        file = self.file.for_losses()
        named = file.model_copy(update={"name": f"{self.file.name}-exchanged", "pictures": None})
        return Track(named, folder)

    @property
    def second_heldout_dir(self) -> Path | None:
        """A second set of held-out pictures, which only the scorer sees; None: there is none."""
        folder = self.board_sets / "heldout2"
        return folder if folder.is_dir() else None

    @property
    def has_board_sets(self) -> bool:
        """Whether the board brings sets of its own for this track, which no repository has."""
        return self.board_sets != self.pictures

    @property
    def board_sets(self) -> Path:
        """Folder with ``exchanged`` and ``heldout2``: the board's own, or the track's.

        Raises:
            UsageError: The board's folder was named, and is not there.
        """
        named = os.environ.get(BOARD_SETS)
        if not named:
            return self.pictures
        if not Path(named).is_dir():
            raise UsageError(
                f"{BOARD_SETS} names no folder.",
                where=named,
                fix="docs/protocol.md says what it holds.",
            )
        own = Path(named).absolute() / self.file.name
        return own if own.is_dir() else self.pictures

    @property
    def pictures(self) -> Path:
        """Folder with ``train`` and ``heldout``: this track's, or the one it borrows from."""
        borrowed = self.file.pictures
        return paths.TRACKS / borrowed if borrowed else self.folder

    @property
    def base_model(self) -> Path:
        """Folder of the base model."""
        return paths.ROOT / self.file.base_model

    @property
    def is_own(self) -> bool:
        """Whether it was made of a person's own pictures; its rows are no part of the board."""
        return self.folder.parent == own_tracks()

    @property
    def judge_dir(self) -> Path | None:
        """Folder of a judge that the user brings; None when the hub's own is used."""
        folder = self.file.judge.folder
        return paths.ROOT / folder if folder else None

    def protocol_hash(self) -> str:
        """Identify what a figure depends on besides the contribution: rules, pictures, base."""
        parts = (
            str(PROTOCOL_VERSION),
            content_hash(self.folder),
            content_hash(self.pictures),
            model_hash(self.base_model),
        )
        return f"sha256:{hashlib.sha256('|'.join(parts).encode()).hexdigest()}"


def track_names() -> list[str]:
    """Return the names of all tracks."""
    return sorted(p.parent.name for p in paths.TRACKS.glob("*/track.toml"))


def board_tracks() -> list[Track]:
    """Return the tracks that the board shows: all but those in preparation."""
    return [load_track(name) for name in shown_names()]


def shown_names() -> list[str]:
    """Return the names of the tracks that the board shows, sorted.

    Raises:
        UsageError: The file that names them is not there, or has faults.
    """
    file = paths.TRACKS / BOARD_FILE
    try:
        with file.open("rb") as handle:
            return sorted(BoardFile.model_validate(tomllib.load(handle)).tracks)
    except (OSError, ValueError) as error:  # of TOML, of encoding and of fields
        faults = faults_of(error) if isinstance(error, ValidationError) else error
        raise UsageError(
            f"What the board shows cannot be read: {faults}",
            where=f"tracks/{BOARD_FILE}",
            fix='It names tracks: tracks = ["robot"]',
        ) from error


def own_tracks() -> Path:
    """Return where tracks of a person's own pictures lie."""
    return paths.RUNS / "tracks"


def own_track_names() -> list[str]:
    """Return the names of a person's own tracks."""
    found = (path.parent.name for path in own_tracks().glob("*/track.toml"))
    return sorted(name for name in found if not name.startswith("."))  # one that is being made


def load_track(name: str) -> Track:
    """Read ``track.toml`` of one of the hub's tracks, or of an own one.

    Raises:
        UsageError: There is no such track, or its file has faults.
    """
    folder = (paths.TRACKS if name in track_names() else own_tracks()) / name
    file = folder / "track.toml"
    if name not in [*track_names(), *own_track_names()]:
        raise UsageError(
            f"There is no track named {name!r}.",
            where="tracks/",
            fix=f"Choose one of: {', '.join([*track_names(), *own_track_names()])}. For your own "
            "pictures: nox -s track -- new NAME --data DIR",
        )
    try:
        with file.open("rb") as handle:
            return Track(TrackFile.model_validate(tomllib.load(handle)), folder)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        again = f"nox -s track -- new {name} --data DIR --fresh"
        own = "" if name in track_names() else f"; or make it again: {again}"
        faults = faults_of(error) if isinstance(error, ValidationError) else error
        raise UsageError(
            f"The track's description has faults: {faults}",
            where=str(file.relative_to(paths.ROOT) if file.is_relative_to(paths.ROOT) else file),
            fix=f"harness/protocol/track_file.py says what each field means{own}",
        ) from error
