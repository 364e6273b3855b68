"""Aspect-ratio buckets: a few sizes of about equally many pixels, so that little is cut off.

A square crop of a portrait loses its head or its feet. With buckets each picture is scaled to cover
the size whose shape is nearest to its own, and only what still sticks out is cut. A batch holds
pictures of one size.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

# The VAE divides by 8 and SD's U-Net by another 8; small bases have less deep U-Nets.
STEP_PX = 64
SMALL_STEP_PX = 8
SMALL_BELOW_PX = 256

Size = tuple[int, int]  # width, height in pixels


def bucket_step_px(resolution: int) -> int:
    """Return what bucket sides are multiples of, in pixels."""
    return SMALL_STEP_PX if resolution < SMALL_BELOW_PX else STEP_PX


@cache
def bucket_sizes(resolution: int) -> tuple[Size, ...]:
    """Return the sizes for a resolution, from the narrowest to the widest.

    Both sides lie between half and twice the resolution, and the area is at most its square: for
    each width the greatest height that fits.

    Args:
        resolution: Side of the square of the same area, in pixels.

    Raises:
        ValueError: The resolution is not a multiple of 8, or smaller than one step.
    """
    step = bucket_step_px(resolution)
    if resolution < 2 * SMALL_STEP_PX or resolution % SMALL_STEP_PX:
        raise ValueError(f"resolution is {resolution}, but buckets need a multiple of 8 from 16.")
    smallest, largest = -(-resolution // 2 // step) * step, resolution * 2 // step * step
    smallest = max(step, smallest)
    sizes = set()
    for width in range(smallest, largest + 1, step):
        height = min(largest, resolution * resolution // width // step * step)
        if height >= smallest:
            sizes |= {(width, height), (height, width)}
    return tuple(sorted(sizes, key=lambda size: (size[0] / size[1], size[0])))


def bucket_of(width: int, height: int, resolution: int) -> Size:
    """Return the size that cuts least off a picture; of equally good ones the one with most pixels.

    Args:
        width: Of the picture as it is shown, in pixels.
        height: Likewise.
        resolution: See ``bucket_sizes``.
    """
    return min(
        bucket_sizes(resolution),
        # Rounded: 1/3 and 3/9 are one shape, whatever the last bit says.
        key=lambda size: (round(cut_share((width, height), size), 9), -size[0] * size[1]),
    )


def target_of(picture: Size, resolution: int, buckets: bool) -> Size:
    """Return the size that a picture gets: its bucket, or the square."""
    return bucket_of(*picture, resolution) if buckets else (resolution, resolution)


def cut_share(picture: Size, target: Size) -> float:
    """Return the share of a picture's area that is lost when it is scaled to cover a target.

    Args:
        picture: Width and height, in any unit.
        target: Width and height, in any unit.
    """
    shape = picture[0] / picture[1]
    wanted = target[0] / target[1]
    return 1.0 - min(shape / wanted, wanted / shape)


class BucketUse(NamedTuple):
    """How one bucket is used."""

    size: Size
    pictures: int
    cut: float  # mean share of the area that is cut off, 0 to 1


def statistics(pictures: Iterable[Size], resolution: int, buckets: bool) -> list[BucketUse]:
    """Return what becomes of pictures of these sizes, the fullest bucket first.

    Args:
        pictures: Width and height of each as it is shown, in pixels.
        resolution: In pixels.
        buckets: False puts all of them into the square.
    """
    counts: Counter[Size] = Counter()
    cuts: defaultdict[Size, float] = defaultdict(float)
    for size in pictures:
        bucket = target_of(size, resolution, buckets)
        counts[bucket] += 1
        cuts[bucket] += cut_share(size, bucket)
    return [BucketUse(size, n, cuts[size] / n) for size, n in counts.most_common()]


def mean_cut(uses: Sequence[BucketUse]) -> float:
    """Return the share of the area that is cut off, over all pictures."""
    total = sum(use.pictures for use in uses)
    return sum(use.cut * use.pictures for use in uses) / total if total else 0.0
