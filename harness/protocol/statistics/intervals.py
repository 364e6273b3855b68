"""95 % intervals of a paired difference: over seeds, and over seeds and pictures together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.protocol.statistics.student import quantile

Interval = tuple[float, float]

DRAWS = 4000


def t_interval(values: Sequence[float], coverage: float = 0.95) -> Interval | None:
    """Return the interval of the mean of independent values; None for fewer than two.

    Args:
        values: One difference per seed.
        coverage: How often the interval holds the true mean, 0 to 1.
    """
    count = len(values)
    if count < 2:
        return None
    array = np.asarray(values, dtype=np.float64)
    mean = float(array.mean())
    half = quantile((1 + coverage) / 2, count - 1) * float(array.std(ddof=1)) / count**0.5
    return mean - half, mean + half


def two_way_bootstrap(
    differences: npt.NDArray[np.float64], coverage: float = 0.95, seed: int = 0
) -> Interval | None:
    """Return the interval of the mean difference over other seeds *and* other pictures.

    Seeds and pictures are drawn with replacement, both at once, because all pictures of one seed
    share a model and all seeds of one picture share its difficulty. A bootstrap of few units is
    too narrow by about (n - 1) / n in variance on either axis, and its percentiles do not know that
    the spread itself was estimated: the spread of the draws is therefore scaled up for the smaller
    axis and taken times Student's quantile of it.

    Args:
        differences: (seeds, pictures) own minus reference.
        coverage: As in `t_interval`.
        seed: Of the draws; the same data give the same interval.

    Returns:
        The interval, or None with fewer than two seeds or two pictures.
    """
    seeds, pictures = differences.shape
    smaller = min(seeds, pictures)
    if smaller < 2:
        return None
    generator = np.random.default_rng(seed)
    rows = generator.multinomial(seeds, [1 / seeds] * seeds, DRAWS) / seeds  # (DRAWS, seeds)
    columns = generator.multinomial(pictures, [1 / pictures] * pictures, DRAWS) / pictures
    means = np.einsum("ds,sp,dp->d", rows, differences, columns)
    spread = float(means.std(ddof=1)) * (smaller / (smaller - 1)) ** 0.5
    half = quantile((1 + coverage) / 2, smaller - 1) * spread
    centre = float(differences.mean())
    return centre - half, centre + half
