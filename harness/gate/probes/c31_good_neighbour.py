"""HUB-C31: two contributions in one process give what they give alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.repeats import RepeatsSeen


def check(seen: RepeatsSeen) -> Iterator[Symptom]:
    """Compare the reference's training before and after the contribution's."""
    if seen.reference_before is None or seen.reference_after is None:
        raise DoesNotApply("it is the reference itself")
    if not seen.reference_before.same_as(seen.reference_after):
        before, after = seen.reference_before, seen.reference_after
        yield Symptom(
            "After this contribution had run, the reference trained differently in the same "
            f"process: {len(before.weights)} tensors before, {len(after.weights)} after; first "
            f"losses {before.losses[0]:.5f} and {after.losses[0]:.5f}."
        )


PROBE = Probe(
    id="HUB-C31",
    title="It changes what other contributions do",
    experiment="repeats",
    hook="make_lora",
    check=check,
    meaning="Something that all share was changed: a class attribute, a default list, a function "
    "of a library.",
    fix="Copy before you change: targets = list(TARGETS); never `+=` on a module's or class's "
    "list, "
    "never assign to a library's classes.",
    calls=("extend", "append", "setattr", "TARGETS"),
)
