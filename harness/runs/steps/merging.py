"""Put the rows of two batches of seeds together, or say why there is only one."""

from __future__ import annotations

from harness.protocol.figures import Costs, Flag
from harness.protocol.row import Row
from harness.protocol.statistics.intervals import t_interval
from harness.protocol.verdict import compare


def merged_row(first: Row, second: Row, *, is_reference: bool) -> Row:
    """Return one row with the seeds of both; the verdict is made anew from all of them."""
    scores = first.scores + second.scores
    flags = tuple(dict.fromkeys(first.flags + second.flags))
    reasons = {key: why for key, why in first.not_measured.items() if key in second.not_measured}
    costs = merged_costs(first, second)
    return first.model_copy(
        update={
            "scores": scores,
            "verdict": compare(first.contribution, scores, is_reference=is_reference),
            "costs": costs,
            "determinism": second.determinism,
            "flags": flags,
            "not_measured": reasons,
            "created_at": second.created_at,
        }
    )


def merged_costs(first: Row, second: Row) -> Costs | None:
    """Return the costs of both: means weighted by seeds, sums of totals, the higher peak."""
    if first.costs is None or second.costs is None:
        return first.costs or second.costs
    one, other = first.costs, second.costs
    share = len(first.scores) / (len(first.scores) + len(second.scores))

    def mean_or_none(name: str) -> float | None:
        known = getattr(one, name) is not None and getattr(other, name) is not None
        return mean(name) if known else None

    def mean(name: str) -> float:
        a, b = float(getattr(one, name)), float(getattr(other, name))
        return share * a + (1 - share) * b

    seconds = mean("train_seconds")
    return one.model_copy(
        update={
            "train_seconds": seconds,
            "reference_seconds": mean("reference_seconds"),
            "cpu_seconds": mean_or_none("cpu_seconds"),
            "reference_cpu_seconds": mean_or_none("reference_cpu_seconds"),
            "cpu_ratio_interval": merged_interval(first, second),
            "steps_per_second": mean("steps_per_second"),
            "worker_seconds": one.worker_seconds + other.worker_seconds,
            "worker_cpu_seconds": one.worker_cpu_seconds + other.worker_cpu_seconds,
            "peak_memory_bytes": max(one.peak_memory_bytes, other.peak_memory_bytes),
        }
    )


def merged_interval(first: Row, second: Row) -> tuple[float, float] | None:
    """Return the interval of the cost over the seeds of both, each batch by its own reference."""
    ratios = []
    for row in (first, second):
        reference = row.costs.reference_cpu_seconds if row.costs else None
        for score in row.scores:
            if not reference or score.cpu_seconds is None:
                return None
            ratios.append(score.cpu_seconds / reference)
    return t_interval(ratios)


def stopped_early(row: Row, seeds: int) -> Row:
    """Mark a row whose other seeds were not trained because they could not change its verdict."""
    text = f"Clearly worse after {len(row.scores)} of {seeds} seeds (99 % interval): not run on."
    return row.model_copy(update={"flags": (*row.flags, Flag(kind="stopped early", text=text))})
