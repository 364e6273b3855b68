"""Compare a contribution with the reference, paired by seed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.protocol.figures import Outcome, SeedScores, Verdict
from harness.protocol.statistics.intervals import Interval, t_interval, two_way_bootstrap
from harness.protocol.statistics.planning import advice


def compare(name: str, scores: Sequence[SeedScores], *, is_reference: bool = False) -> Verdict:
    """Judge a contribution against the reference trained with the same seeds.

    Args:
        name: How to call the contribution in the sentence.
        scores: One entry per seed.
        is_reference: The contribution *is* the reference; there is nothing to compare.
    """
    gain = statistics.fmean(score.gain for score in scores)
    reference_gain = statistics.fmean(score.reference_gain for score in scores)
    if is_reference:
        return Verdict(
            outcome="is the reference",
            gain=gain,
            reference_gain=reference_gain,
            difference=0.0,
            interval=None,
            exactly_equal=True,
            sentence=f"The reference {_change(gain)} the held-out loss by {abs(gain):.1%} of the "
            "base's.",
        )
    differences = gain_differences(scores)
    interval = t_interval(differences)
    equal = all(score.own.heldout == score.reference.heldout for score in scores)
    outcome = judge(interval)
    return Verdict(
        outcome=outcome,
        gain=gain,
        reference_gain=reference_gain,
        difference=statistics.fmean(differences),
        interval=interval,
        wider_interval=two_way_bootstrap(picture_differences(scores)),
        exactly_equal=equal,
        sentence=_sentence(name, gain, reference_gain, differences, equal=equal),
    )


def gain_differences(scores: Sequence[SeedScores]) -> list[float]:
    """Return own gain minus the reference's, seed by seed."""
    return [score.gain - score.reference_gain for score in scores]


def picture_differences(scores: Sequence[SeedScores]) -> npt.NDArray[np.float64]:
    """Return the same, (seeds, held-out pictures), as shares of the base's mean loss.

    The mean over pictures of a row is that seed's difference of gains.
    """
    own = np.array([score.own.heldout.pictures for score in scores])
    reference = np.array([score.reference.heldout.pictures for score in scores])
    base = np.array([score.own.heldout.mean / (1 - score.own.gain) for score in scores])
    differences: npt.NDArray[np.float64] = (reference - own) / base[:, None]
    return differences


def judge(interval: Interval | None) -> Outcome:
    """Call a difference clear only when its interval leaves zero out."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "no clear difference"
    return "better" if interval[0] > 0 else "worse"


def _sentence(
    name: str, gain: float, reference_gain: float, differences: Sequence[float], *, equal: bool
) -> str:
    facts = (
        f"{name} {_change(gain)} the held-out loss by {abs(gain):.1%} of the base's, "
        f"the reference {_change(reference_gain)} it by {abs(reference_gain):.1%}"
    )
    interval = t_interval(differences)
    if equal:
        return f"{facts}: exactly the reference's figures."
    if interval is None:
        return f"{facts}. {advice(differences)}"
    outcome, (low, high) = judge(interval), (100 * bound for bound in interval)
    over = (
        f"difference {low:+.1f} to {high:+.1f} points (95 % interval over {len(differences)} seeds)"
    )
    if outcome == "no clear difference":
        return f"{facts}: {over}. No clear difference yet. {advice(differences)}"
    return f"{facts}: {over}. Clearly {outcome} than the reference."


def _change(gain: float) -> str:
    return "lowers" if gain >= 0 else "raises"
