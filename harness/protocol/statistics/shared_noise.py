"""How noisy each method is, when a handful of seeds has to tell: by looking at the others, too.

Five seeds know the spread of one method badly (four degrees of freedom), and a board compares
hundreds of pairs: corrected for that, a paired t test on five seeds finds almost nothing. But the
methods of a board resemble each other in how much they scatter. Empirical Bayes (Smyth 2004, the
"moderated t" of gene expression, where the numbers of seeds and of comparisons are just like that)
estimates how alike they are, and moves each spread towards the common one by as much as that
allows: nearly all the way when they are alike, not at all when they have nothing in common.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Figures = NDArray[np.float64]

# The series below is good to 1e-10 from here on; smaller arguments are brought up to it.
SERIES_FROM = 10.0


@dataclass(frozen=True)
class Noise:
    """The spread of each method over seeds, and how well it is known.

    Args:
        variances: (M,) of one seed's figure, without what a seed does to all methods alike.
        freedom: Degrees of freedom behind each of them.
    """

    variances: Figures
    freedom: float


def shared_noise(figures: Figures) -> Noise:
    """Estimate the noise of M methods from their figures at the same S seeds.

    A method that scatters more than the estimate says keeps its own, larger spread: one wild method
    among quiet ones must not pass for quiet.

    Args:
        figures: (M, S), at least two of each.
    """
    methods, seeds = figures.shape
    rest = figures - figures.mean(axis=1, keepdims=True)
    # What a seed does to everybody. The median: one wild method must not make all look wild.
    rest -= np.median(rest, axis=0)
    rest -= rest.mean(axis=1, keepdims=True)
    # Taking that out has taken a share of each method's spread along, about 1 / M.
    own = (rest**2).sum(axis=1) / ((seeds - 1) * (methods - 1) / methods)  # (M,)
    freedom, most = seeds - 1, (seeds - 1) * (methods - 1)
    positive = own[own > 0]
    if len(positive) < 2:
        return Noise(own, float(freedom))
    logs = np.log(positive) - digamma(freedom / 2) + math.log(freedom / 2)
    # What the logarithms scatter beyond what so few seeds make them scatter anyway.
    excess = float(logs.var(ddof=1)) - trigamma(freedom / 2)
    if excess <= 0:  # nothing: all methods have the same spread
        return Noise(np.maximum(own, own.mean()), float(most))
    prior = 2 * inverse_trigamma(excess)  # degrees of freedom that the others are worth
    common = math.exp(float(logs.mean()) + digamma(prior / 2) - math.log(prior / 2))
    moved = (prior * common + freedom * own) / (prior + freedom)
    return Noise(np.maximum(own, moved), min(prior + freedom, float(most)))


def digamma(x: float) -> float:
    """Return the derivative of log gamma, x > 0."""
    below = 0.0
    while x < SERIES_FROM:
        below, x = below - 1 / x, x + 1
    y = 1 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))))
    return below + math.log(x) - 1 / (2 * x) - series


def trigamma(x: float) -> float:
    """Return the second derivative of log gamma, x > 0."""
    below = 0.0
    while x < SERIES_FROM:
        below, x = below + 1 / (x * x), x + 1
    y = 1 / (x * x)
    series = y * (1 / 6 - y * (1 / 30 - y * (1 / 42 - y * (1 / 30 - y * 5 / 66))))
    return below + 1 / x + y / 2 + series / x


def inverse_trigamma(value: float) -> float:
    """Return the x > 0 at which trigamma has a value > 0; it falls, so halving finds it."""
    low, high = 1e-8, 1.0
    while trigamma(high) > value:
        high *= 2
        if high > 1e12:
            return high
    for _ in range(200):
        middle = (low + high) / 2
        if trigamma(middle) > value:
            low = middle
        else:
            high = middle
    return (low + high) / 2
