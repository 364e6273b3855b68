"""The options about seeds and devices that several commands share. Imports no pipeline."""

from __future__ import annotations

from harness.protocol.track import Track
from toolkit.core.errors import UsageError

DEVICES = ("cpu", "cuda")

# Nobody means to train more often than this; and a seed itself needs a comma: 12345,
MOST_SEEDS = 100


def parse_seeds(text: str) -> int | tuple[int, ...]:
    """Read ``5`` as a number of seeds and ``0,1,`` as seeds; argparse reports the ValueError."""
    if "," not in text:
        if not 1 <= int(text) <= MOST_SEEDS:
            raise ValueError
        return int(text)
    seeds = tuple(int(part) for part in text.removesuffix(",").split(","))
    if len(set(seeds)) != len(seeds) or min(seeds) < 0 or max(seeds) >= 2**31:
        raise ValueError
    return seeds


def chosen_seeds(
    asked: int | tuple[int, ...] | None, track: Track, *, every: bool
) -> tuple[tuple[int, ...] | None, bool]:
    """Turn what was asked for into a track's seeds.

    Args:
        asked: The first so many, or these, or None.
        track: Where.
        every: What None means: all seeds of the track, or a quick verdict's.

    Returns:
        The seeds, or None when the track decides; and whether these are all it has.

    Raises:
        UsageError: More seeds were asked for than the track has.
    """
    known = track.file.seeds
    if isinstance(asked, int):
        if asked > len(known):
            raise UsageError(
                f"The track has {len(known)} seeds, not {asked}.",
                where="--seeds",
                fix=f"Name them: --seeds {','.join(str(n) for n in range(asked))}",
            )
        asked = known[:asked]
    thorough = asked == known or (every and asked is None)
    return (None if thorough else asked), thorough
