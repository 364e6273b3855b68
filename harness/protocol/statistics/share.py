"""The 95 % interval of a share. Apart from the other intervals, for it needs no numpy."""

from __future__ import annotations

from statistics import NormalDist


def share_interval(
    successes: int, count: int, coverage: float = 0.95
) -> tuple[float, float] | None:
    """Return Wilson's interval of a share (doi:10.1080/01621459.1927.10502953); None without units.

    Args:
        successes: Units that have it, 0 to `count`.
        count: All units, taken as independent of each other.
        coverage: How often the interval holds the true share, 0 to 1.
    """
    if not count:
        return None
    z = NormalDist().inv_cdf((1 + coverage) / 2)
    share, weight = successes / count, z**2 / count
    centre = (share + weight / 2) / (1 + weight)
    half = z * (share * (1 - share) / count + weight / (4 * count)) ** 0.5 / (1 + weight)
    return max(0.0, centre - half), min(1.0, centre + half)
