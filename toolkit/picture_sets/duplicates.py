"""The same picture twice, or nearly: saved again, scaled, a little brighter, slightly cut.

Two looks, because each alone is fooled. The difference hash (is this spot brighter than its
neighbour?) sees shapes through changes of brightness and compression, but takes a red robot for a
blue one. A small thumbnail knows colours, but takes any two objects on white paper for each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HASH_SIDE = 8
THUMB_SIDE = 8
# Of 128 bits. Measured on the pictures of the robot track and of the base model's corpus: copies
# that were scaled, saved as JPEG of quality 40, made 10 % brighter or cut by 2 % at each side stay
# below both limits, different pictures above one of them (see its test).
MAX_BITS = 16
# Mean absolute difference of the thumbnails, which have a mean of 128.
MAX_COLOUR = 10.0


class Fingerprint(NamedTuple):
    """What is compared of a picture."""

    bits: NDArray[np.uint8]  # (16,): 128 bits
    thumb: NDArray[np.float32]  # (8, 8, 3), mean 128


def fingerprint(image: Image.Image) -> Fingerprint:
    """Return what is compared of an upright RGB picture."""
    side = HASH_SIDE + 1
    # BOX averages over everything; the picture's shape is not kept, so a small cut changes little.
    small = image.resize((side * 4, side * 4), Image.Resampling.BOX)
    grey = np.asarray(small.convert("L").resize((side, side), Image.Resampling.BOX), np.int16)
    across = grey[:-1, 1:] > grey[:-1, :-1]  # (8, 8)
    down = grey[1:, :-1] > grey[:-1, :-1]  # (8, 8)
    bits = np.packbits(np.concatenate([across.ravel(), down.ravel()]))
    thumb = small.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX)
    colours = np.asarray(thumb, np.float32)  # (8, 8, 3)
    # As if taken with the same exposure.
    return Fingerprint(bits, colours * (128.0 / max(float(colours.mean()), 1.0)))


def equal_groups(keys: Sequence[Hashable]) -> list[list[int]]:
    """Return the places of equal keys, for those that occur more than once."""
    places: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    return [group for group in places.values() if len(group) > 1]


def near_groups(prints: Sequence[Fingerprint]) -> list[list[int]]:
    """Return groups of pictures that look alike, each picture in at most one.

    A group is all that look like its first picture: going on from likeness to likeness would chain
    the frames of a film together.
    """
    if not prints:
        return []
    bits = np.stack([one.bits for one in prints])  # (N, 16)
    thumbs = np.stack([one.thumb for one in prints])  # (N, 8, 8, 3)
    taken = np.zeros(len(prints), dtype=bool)
    groups = []
    for first in range(len(prints)):
        if taken[first]:
            continue
        rest = np.arange(first + 1, len(prints))
        rest = rest[~taken[rest]]
        close = np.bitwise_count(bits[rest] ^ bits[first]).sum(axis=1) <= MAX_BITS
        rest = rest[close]
        colour = np.abs(thumbs[rest] - thumbs[first]).mean(axis=(1, 2, 3))
        alike = rest[colour <= MAX_COLOUR]
        if len(alike):
            taken[alike] = True
            groups.append([first, *alike.tolist()])
    return groups
