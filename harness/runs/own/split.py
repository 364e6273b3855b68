"""Divide pictures into taught and held-out ones, by what they show.

What looks alike stays on one side, or the held-out loss would reward learning by heart. Which side
it goes to depends on the pictures' bytes only: not on names, and not on how many others there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import ImageOps

from toolkit.core.errors import DataSetError
from toolkit.images.alike import SAME, thumbnail
from toolkit.images.decode import load_rgb
from toolkit.picture_sets.duplicates import MAX_BITS, MAX_COLOUR, fingerprint
from toolkit.picture_sets.examine import ENOUGH_PX, Facts

HELDOUT_SHARE = 0.3
# A method has to be seen on more than one picture; and the cost of scoring grows with them. What
# looks alike counts once.
LEAST_HELDOUT, MOST_HELDOUT = 2, 40
LEAST_TAUGHT = 3


class Split(NamedTuple):
    """Which picture is on which side."""

    taught: tuple[Facts, ...]
    heldout: tuple[Facts, ...]
    alike: tuple[tuple[Facts, ...], ...]  # groups of more than one, each on one side


def split(facts: Sequence[Facts], seed: int = 0, share: float = HELDOUT_SHARE) -> Split:
    """Hold a share of the pictures out.

    Args:
        facts: What is known of each picture.
        seed: Another one gives another split.
        share: Of all pictures, 0 to 1; at least 2 and at most 40 pictures are held out.

    Raises:
        DataSetError: There are too few pictures that differ.
    """
    groups = sorted(groups_of_alike(facts), key=lambda group: place_of(group, seed))
    wanted = min(MOST_HELDOUT, max(LEAST_HELDOUT, round(share * len(facts))))
    heldout: list[list[Facts]] = []
    taught: list[list[Facts]] = []
    for group in groups:
        fits = sum(map(len, heldout)) + len(group) <= wanted
        (heldout if fits else taught).append(group)
    while len(heldout) < LEAST_HELDOUT and taught:  # all others are large
        smallest = min(taught, key=len)
        taught.remove(smallest)
        heldout.append(smallest)
    if len(taught) < LEAST_TAUGHT:
        raise DataSetError(
            f"There are {len(facts)} pictures, and {len(groups)} that differ: too few to teach "
            f"{LEAST_TAUGHT} and hold {LEAST_HELDOUT} out.",
            fix="Add pictures: with fewer, no comparison of methods says anything.",
        )
    out = {each.picture.path for group in heldout for each in group}
    return Split(
        tuple(each for each in facts if each.picture.path not in out),
        tuple(each for each in facts if each.picture.path in out),
        tuple(tuple(group) for group in groups if len(group) > 1),
    )


def place_of(group: Sequence[Facts], seed: int) -> str:
    """Return what a group is sorted by: random, and the same for the same pictures."""
    first = min(each.content for each in group)
    return hashlib.sha256(f"{seed} {first}".encode()).hexdigest()


def groups_of_alike(facts: Sequence[Facts]) -> list[list[Facts]]:
    """Return the pictures in groups: whatever looks alike, directly or by way of a third one.

    Unlike ``near_groups``, which names twins for a person to judge, nothing alike may be left apart
    here; and who learns a picture by heart knows its mirror image as well.
    """
    looks = Looks(facts)
    parent = list(range(len(facts)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for one in range(len(facts)):
        for other in looks.alike_to(one):
            parent[root(one)] = root(other)
    groups: dict[int, list[Facts]] = {}
    for place, each in enumerate(facts):
        groups.setdefault(root(place), []).append(each)
    return list(groups.values())


class Looks:
    """What is compared of all pictures, as arrays: a thousand of them make half a million pairs."""

    def __init__(self, facts: Sequence[Facts]) -> None:
        """Look at every picture once more, in a size that is enough."""
        images = [load_rgb(each.picture.path, enough_px=ENOUGH_PX) for each in facts]
        mirrored = [fingerprint(ImageOps.mirror(image)) for image in images]
        self.contents = np.array([each.content for each in facts])  # (N,)
        self.thumbs = np.stack([thumbnail(image) for image in images])  # (N, 32, 32, 3), 0 to 1
        # Of the picture as it is, and mirrored: (2, N, 16) and (2, N, 8, 8, 3).
        prints = ([each.print for each in facts], mirrored)
        self.bits = np.stack([np.stack([one.bits for one in some]) for some in prints])
        self.colours = np.stack([np.stack([one.thumb for one in some]) for some in prints])

    def alike_to(self, place: int) -> list[int]:
        """Return the places after ``place`` of pictures that look like that one."""
        rest = slice(place + 1, None)
        own = self.thumbs[place]
        apart = [
            np.sqrt(np.square(self.thumbs[rest] - turned).mean(axis=(1, 2, 3)))  # (n,)
            for turned in (own, own[:, ::-1])
        ]
        same = (np.minimum(*apart) < SAME) | (self.contents[rest] == self.contents[place])
        for turn in (0, 1):
            differing = self.bits[0, rest] ^ self.bits[turn, place]  # (n, 16)
            colour = np.abs(self.colours[0, rest] - self.colours[turn, place]).mean(axis=(1, 2, 3))
            same |= (np.bitwise_count(differing).sum(axis=1) <= MAX_BITS) & (colour <= MAX_COLOUR)
        return [place + 1 + int(number) for number in np.flatnonzero(same)]
