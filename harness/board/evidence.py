"""Evidence: what has been shown of a contribution. It tells how sure a result is, not how good.

checked       the folder passes every check, and a run came through
five seeds    five seeds or more were measured
confirmed     trained on other pictures, it had another gain: it brought nothing along
SD 1.x        a run on the real Stable Diffusion 1.x came through
verified      another contributor measured the same on another machine

Each stands for itself: none needs another, and a clear "worse than the reference" has as much of
it as a clear "better".
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

# What a reader may ask of each; in this order everywhere.
EVIDENCE = {
    "checked": "the folder passes every check, and a run came through",
    "five seeds": "five seeds or more were measured",
    "confirmed": "trained on other pictures, it had another gain: it brought nothing along",
    "SD 1.x": "a run on the real Stable Diffusion 1.x came through",
    "verified": "another contributor measured the same on another machine",
}
SEEDS = 5
# Two machines agree when their mean gains are no further apart than chance brings them.
SIGMAS = 3.0
SD_CHANNELS = 320  # of the first block of Stable Diffusion 1.x; the embedded base has fewer


def with_evidence(
    entries: Iterable[Entry], clean: set[str], tracks: Sequence[Track]
) -> list[Entry]:
    """Return the entries with their evidence.

    Args:
        entries: Of all tracks.
        clean: Names of the folders that pass every check.
        tracks: To tell which of them train the real model.
    """
    entries = list(entries)
    real = {track.file.name for track in tracks if is_real_model(track)}
    on_real = {entry.name for entry in entries if entry.track in real and entry.placed}
    return [replace(entry, evidence=_evidence(entry, clean, on_real)) for entry in entries]


def _evidence(entry: Entry, clean: set[str], on_real: set[str]) -> tuple[str, ...]:
    """Return what was shown; nothing for a row without a place, or a folder with a fault."""
    if not entry.placed or entry.name not in clean:
        return ()
    shown = {
        "checked": True,
        "five seeds": len(entry.seeds) >= SEEDS,
        "confirmed": entry.confirmed,
        "SD 1.x": entry.name in on_real,
        "verified": bool(verifiers(entry)),
    }
    return tuple(name for name in EVIDENCE if shown[name])


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
