"""HUB-C28: the hooks leave the process as they found it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.gate.probe import Probe, Symptom

if TYPE_CHECKING:
    from harness.gate.experiments.leftovers import LeftoversSeen


def check(seen: LeftoversSeen) -> Iterator[Symptom]:
    """Compare the state of the process before and after all hooks ran."""
    if seen.changed:
        yield Symptom(f"After the hooks had run, this was changed: {', '.join(seen.changed[:4])}.")
    if seen.threads:
        yield Symptom(
            f"Threads are still running: {', '.join(seen.threads[:4])}.",
            severity="hint",
            meaning="They may hold the process, or write after it was measured.",
            fix="Join them, or leave DataLoader's num_workers at 0.",
        )


PROBE = Probe(
    id="HUB-C28",
    title="The hooks change the process they run in",
    experiment="leftovers",
    hook="train",
    owners=("make_dataset", "make_lora", "train", "generate"),
    check=check,
    meaning="Whatever runs afterwards in this process (generate, the measuring, another seed) "
    "computes something else.",
    fix="Set it inside a `with` block or put it back in a `finally`; never assign to attributes of "
    "torch's or diffusers' classes.",
    calls=("set_default_dtype", "set_grad_enabled", "use_deterministic_algorithms", "chdir"),
    because=("HUB-C27",),
)
