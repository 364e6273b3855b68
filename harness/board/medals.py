"""Medals: how well a result is shown, never how good it is. Rules, not opinions.

bronze     the folder passes every check and a run came through
silver     five seeds or more, and an interval that excludes zero
gold       a run on the real Stable Diffusion 1.x came through
platinum   another contributor measured the same on another machine

Each medal needs the ones before it, except that gold does not ask for silver: a run of the real
model is dear. A clear "worse than the reference" is as well shown as a clear "better".
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace

from harness import paths
from harness.board.entries import Entry, from_row
from harness.protocol import row_files
from harness.protocol.equal_references import same_code
from harness.protocol.track import Track
from toolkit.core.errors import ResultFileError

MEDALS = ("bronze", "silver", "gold", "platinum")
SILVER_SEEDS = 5
# Two machines agree when their mean gains are no further apart than chance brings them.
SIGMAS = 3.0
SD_CHANNELS = 320  # of the first block of Stable Diffusion 1.x; the embedded base has fewer

NEXT = {
    "": "bronze: pass every check and run through",
    "bronze": f"silver: {SILVER_SEEDS} seeds and an interval that excludes zero",
    "silver": "gold: a run on the real Stable Diffusion 1.4",
    "gold": "platinum: the same result from another contributor's machine",
    "platinum": "nothing is above platinum",
}


def with_medals(entries: Iterable[Entry], clean: set[str], tracks: Sequence[Track]) -> list[Entry]:
    """Return the entries with their medals.

    Args:
        entries: Of all tracks.
        clean: Names of the folders that pass every check.
        tracks: To tell which of them train the real model.
    """
    entries = list(entries)
    real = {track.file.name for track in tracks if is_real_model(track)}
    gold = {entry.name for entry in entries if entry.track in real and entry.placed}
    return [_with_medal(entry, clean, gold) for entry in entries]


def _with_medal(entry: Entry, clean: set[str], gold: set[str]) -> Entry:
    if not entry.placed or entry.name not in clean:
        return entry
    medal = "bronze"
    if len(entry.seeds) >= SILVER_SEEDS and excludes_zero(entry.interval):
        medal = "silver"
    if entry.name in gold:
        medal = "gold"
    if medal == "gold" and verifiers(entry):
        medal = "platinum"
    return replace(entry, medal=medal, medal_reason=f"Next: {NEXT[medal]}")


def excludes_zero(interval: tuple[float, float] | None) -> bool:
    """Tell whether zero lies outside an interval."""
    return interval is not None and (interval[0] > 0 or interval[1] < 0)


def is_real_model(track: Track) -> bool:
    """Tell by its U-Net whether a track trains the real Stable Diffusion 1.x."""
    config = track.base_model / "unet" / "config.json"
    if not config.is_file():
        # Only a model that is too large for the repository is missing from it.
        return True
    channels = json.loads(config.read_text(encoding="utf-8")).get("block_out_channels", [0])
    return bool(channels[0] == SD_CHANNELS)


def verifiers(entry: Entry) -> list[str]:
    """Return who else measured the same: ``leaderboard/verified/<track>/<name>/<who>.json``.

    Such a file is a whole row, written by ``contribution --record`` elsewhere. It counts when it
    is about the same code, reference and track, over three seeds or more, and agrees.
    """
    folder = paths.RESULTS.parent / "verified" / entry.track / entry.name
    authors = {author.casefold() for author in entry.authors}
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            other = from_row(row_files.read_row(path))
        except ResultFileError:
            continue  # of an older hub: it confirms nothing about today's row
        if path.stem.casefold() not in authors and agrees(entry, other):
            found.append(path.stem)
    return found


def agrees(entry: Entry, other: Entry) -> bool:
    """Tell whether two rows are about the same thing and say the same."""
    for field in ("name", "track", "content_hash", "protocol_hash", "reference_hash"):
        if not same_code(getattr(entry, field), getattr(other, field)):
            return False
    if not other.placed or min(len(entry.gains), len(other.gains)) < 3:
        return False
    error = math.hypot(_standard_error(entry.gains), _standard_error(other.gains))
    return abs(statistics.fmean(entry.gains) - statistics.fmean(other.gains)) <= SIGMAS * error


def _standard_error(values: Sequence[float]) -> float:
    return statistics.stdev(values) / math.sqrt(len(values))
