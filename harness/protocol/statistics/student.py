"""Student's t distribution: the one special function that small samples need."""

from __future__ import annotations

import functools
import math


def two_sided_p(t: float, freedom: float) -> float:
    """Return P(|T| >= |t|) for Student's t.

    Args:
        t: The statistic; may be infinite.
        freedom: Degrees of freedom, at least 1.
    """
    if math.isinf(t):
        return 0.0
    return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


@functools.cache
def quantile(probability: float, freedom: float) -> float:
    """Return the point below which a t variable lies with ``probability``, 0.5 <= it < 1."""
    if not 0.5 <= probability < 1:
        raise ValueError(f"probability must be in [0.5, 1), not {probability}")
    low, high = 0.0, 1.0
    while two_sided_p(high, freedom) > 2 * (1 - probability):
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if two_sided_p(middle, freedom) > 2 * (1 - probability):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), by Lentz's continued fraction."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # there the fraction converges fast only for the mirror image
        return 1 - incomplete_beta(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    value, c, d = 1.0, 1.0, 0.0
    for step in range(400):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / (1 + term * d or tiny)
        c = 1 + term / c or tiny
        value *= c * d
        if step and abs(1 - c * d) < 1e-15:
            return front * (value - 1)
    raise ArithmeticError(f"I_{x}({a}, {b}) did not converge")
