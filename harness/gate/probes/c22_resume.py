"""HUB-C22: a step, a stop and another step are two steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import DoesNotApply, Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.continuing import ContinuingSeen


def check(seen: ContinuingSeen) -> Iterator[Symptom]:
    """Compare the weights of a run that went through with one that was resumed."""
    from harness.gate.experiments.continuing import farthest

    if seen.uninterrupted is None or seen.resumed is None:
        raise DoesNotApply("the loop keeps no state: it does not call reporter.checkpoint")
    apart = farthest(seen.uninterrupted, seen.resumed)
    if apart > 0:
        yield Symptom(
            f"A run resumed after half of its {seen.steps} steps ends with weights that differ by "
            f"{apart:.2g} from those of a run that went through."
        )
    elif len(seen.losses[0]) != len(seen.losses[1]):
        yield Symptom(
            f"A resumed run returns {len(seen.losses[1])} losses; the one that went through, "
            f"{len(seen.losses[0])}.",
            fix="Keep the losses of the steps before in the state.",
        )


PROBE = Probe(
    id="HUB-C22",
    title="A resumed run is another run",
    experiment="continuing",
    hook="train",
    check=check,
    meaning="Something is lost at the stop: the optimiser's averages, the step, the random "
    "numbers.",
    fix="Keep adapter, optimiser, step and losses in the state, and draw what is random about a "
    "step "
    "from (seed, step) alone.",
    calls=("resume", "checkpoint", "load_state_dict"),
    because=("HUB-C17",),
)
