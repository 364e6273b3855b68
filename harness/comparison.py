"""Compare a contribution with the reference, paired by seed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from harness.records import Outcome, SeedScores, Verdict

# 97.5 % points of Student's t for 1 to 30 degrees of freedom.
T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def t_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean of independent values; None for fewer than two."""
    count = len(values)
    if count < 2:
        return None
    mean = statistics.fmean(values)
    # Beyond the table the normal's 1.96 with the first term of its expansion is right to 0.002.
    quantile = T_975[count - 2] if count - 2 < len(T_975) else 1.96 + 2.4 / (count - 1)
    half = quantile * statistics.stdev(values) / math.sqrt(count)
    return mean - half, mean + half


def compare(name: str, scores: Sequence[SeedScores], *, is_reference: bool = False) -> Verdict:
    """Judge a contribution against the reference trained with the same seeds.

    Args:
        name: How to call the contribution in the sentence.
        scores: One entry per seed.
        is_reference: The contribution *is* the reference; there is nothing to compare.
    """
    gain = statistics.fmean(score.gain for score in scores)
    reference_gain = statistics.fmean(score.reference_gain for score in scores)
    differences = [score.gain - score.reference_gain for score in scores]
    difference = statistics.fmean(differences)
    interval = t_interval(differences)
    if is_reference:
        sentence = f"The reference lowers the held-out loss by {gain:.1%} of the base's."
        return Verdict(
            outcome="is the reference",
            gain=gain,
            reference_gain=reference_gain,
            difference=0.0,
            interval=None,
            sentence=sentence,
        )
    outcome = judge(interval)
    return Verdict(
        outcome=outcome,
        gain=gain,
        reference_gain=reference_gain,
        difference=difference,
        interval=interval,
        sentence=_sentence(name, gain, reference_gain, interval, len(scores), outcome),
    )


def judge(interval: tuple[float, float] | None) -> Outcome:
    """Call a difference clear only when its interval leaves zero out."""
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "no clear difference"
    return "better" if interval[0] > 0 else "worse"


def _sentence(  # six plain numbers and words, used once
    name: str,
    gain: float,
    reference_gain: float,
    interval: tuple[float, float] | None,
    seeds: int,
    outcome: str,
) -> str:
    facts = (
        f"{name} {_change(gain)} the held-out loss by {abs(gain):.1%} of the base's, "
        f"the reference {_change(reference_gain)} it by {abs(reference_gain):.1%}"
    )
    if interval is None:
        return f"{facts}. One seed cannot tell a difference from luck: run more."
    low, high = (100 * bound for bound in interval)
    over = f"difference {low:+.1f} to {high:+.1f} points (95 % interval over {seeds} seeds)"
    if outcome == "no clear difference":
        return f"{facts}: {over}. No clear difference yet."
    return f"{facts}: {over}. Clearly {outcome} than the reference."


def _change(gain: float) -> str:
    return "lowers" if gain >= 0 else "raises"
