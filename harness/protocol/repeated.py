"""Whether the figures of a row came out again."""

from __future__ import annotations

import statistics

from harness.protocol.row import Row

# Gains, as shares of the base's loss. On one machine with one set of packages a run repeats itself.
SAME_MACHINE = 1e-6
# Other processors round differently and training amplifies it. The means over seeds then differ no
# more than those of two draws of seeds would, three deviations for one verification in 400.
DEVIATIONS = 3.0


def judge(row: Row, again: Row) -> tuple[bool, str]:
    """Compare the gains of a row with those of running it again.

    Returns:
        Whether they agree, and a sentence with the difference and the tolerance.
    """
    if again.status != "ok":
        why = again.error.what if again.error else ""
        return False, f"Disagrees: running it again ended as {again.status}. {why}"
    then = {score.seed: score.gain for score in row.scores}
    pairs = [(then[score.seed], score.gain) for score in again.scores]
    same = (row.machine.processor, row.machine.packages) == (
        again.machine.processor,
        again.machine.packages,
    )
    if same:
        apart, tolerance = max(abs(a - b) for a, b in pairs), SAME_MACHINE
        what = "the largest difference of a seed's gain"
    else:
        apart = abs(statistics.fmean(a for a, _ in pairs) - statistics.fmean(b for _, b in pairs))
        spread = statistics.stdev(a for a, _ in pairs) if len(pairs) > 1 else 0.01
        tolerance = max(SAME_MACHINE, DEVIATIONS * spread * (2 / len(pairs)) ** 0.5)
        what = "the difference of the mean gains"
    agrees = apart <= tolerance
    machine = "this machine is like the row's" if same else "another processor or other packages"
    return agrees, (
        f"{'Agrees' if agrees else 'Disagrees'}: {what} is {100 * apart:.4f} points, allowed are "
        f"{100 * tolerance:.4f} ({machine}, {len(pairs)} seeds)."
    )
